"""Which exit code stands for what came of a run."""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest

from model.report.outcome import EXIT_BY_STATUS, INTERRUPTED, Status, worst


@pytest.mark.parametrize(
    ("statuses", "code"),
    [("ok changed waived not_run", 0), ("drift", 2), ("failed unproven missing", 3)],
)
def test_each_status_has_its_exit_code(statuses: str, code: int) -> None:
    assert {EXIT_BY_STATUS[Status(status)] for status in statuses.split()} == {code}


def test_no_status_is_without_a_code() -> None:
    assert set(EXIT_BY_STATUS) == set(Status)


def test_where_several_hold_interruption_then_1_then_2_then_3_wins() -> None:
    order = [INTERRUPTED, 1, 2, 3, 0]
    for several in combinations_with_replacement(order, 3):
        assert worst(several) == next(code for code in order if code in several)
    assert worst(()) == 0
