"""A selection names exactly whom it says, and never silently nobody."""

from __future__ import annotations

import pytest

from model.errors import SelectionError
from model.site.select import select
from tests.mutation import loaded

SITE = loaded()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("db-1", ["db-1"]),
        ("database", ["db-1", "db-2", "db-3"]),
        ("database,!db-3", ["db-1", "db-2"]),
        ("!db-3,database", ["db-1", "db-2"]),
        ("w-*", ["w-1", "w-2", "w-3"]),
        ("worker", ["w-1", "w-2", "w-3", "st-1"]),
        ("worker,!storage", ["w-1", "w-2", "w-3"]),
        (" li , mon-1 ", ["li-1", "mon-1"]),
        ("mon-1,cp-1", ["cp-1", "mon-1"]),
        ("cp-[12]", ["cp-1", "cp-2"]),
    ],
)
def test_selection_is_in_the_order_of_the_inventory(expression: str, expected: list[str]) -> None:
    assert list(select(SITE, expression)) == expected


def test_no_selection_is_everybody() -> None:
    assert select(SITE, None) == tuple(machine.name for machine in SITE.machines)


def test_taking_away_only_starts_from_everybody() -> None:
    assert set(select(SITE, "!vantage,!perimeter")) == {machine.name for machine in SITE.servers}


@pytest.mark.parametrize(
    "expression", ["", " ", ",", "db-9", "databse", "db-1,db-9", "!db-9", "w-1,!worker", "!*", "db-1;rm", "../x"]
)
def test_a_word_for_nobody_is_an_error_that_says_so(expression: str) -> None:
    with pytest.raises(SelectionError) as caught:
        select(SITE, expression)
    assert len(str(caught.value)) > 20
