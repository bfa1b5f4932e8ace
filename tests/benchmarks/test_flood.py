"""A flood that nobody could have seen is no measurement."""

from __future__ import annotations

import pytest

from benchmarks.flood import judged


def test_what_passed_is_the_figure() -> None:
    figures = {figure.name: figure.value for figure in judged({"arrived": 5000, "passed": 3, "control": 50}, 2)}
    assert figures == {"firewall_open_packets": 3, "firewall_flood_packets": 5000}


@pytest.mark.parametrize("missing", ["arrived", "control"])
def test_without_a_control_there_is_no_figure(missing: str) -> None:
    counts = {"arrived": 5000, "passed": 0, "control": 50, missing: 0}
    with pytest.raises(RuntimeError):
        judged(counts, 2)
