"""A run of one group of benchmarks keeps the figures of the others, and says of which run they are."""

from __future__ import annotations

from typing import Any

from benchmarks.results import merged

MONDAY = {"machine": "2 cores", "commit": "aaa", "date": "2026-11-23T10:00:00+00:00"}
TUESDAY = {"machine": "2 cores", "commit": "bbb", "date": "2026-11-24T10:00:00+00:00"}


def figure(name: str, value: float) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": "s", "against": "", "n": 3}


def test_a_first_run_has_its_own_figures() -> None:
    assert merged({}, MONDAY, [figure("a", 1)]) == {**MONDAY, "figures": [figure("a", 1)]}


def test_what_was_not_measured_stays_with_its_run() -> None:
    first = merged({}, MONDAY, [figure("a", 1), figure("b", 2)])
    second = merged(first, TUESDAY, [figure("b", 3)])
    old = {"commit": "aaa", "date": "2026-11-23T10:00:00+00:00"}
    assert second == {**TUESDAY, "figures": [figure("a", 1) | old, figure("b", 3)]}
    third = merged(second, {**TUESDAY, "machine": "4 cores"}, [figure("c", 4)])
    assert third["figures"][0] == figure("a", 1) | old | {"machine": "2 cores"}
    assert third["figures"][1] == figure("b", 3) | {"machine": "2 cores"}


def test_what_is_measured_again_is_of_this_run_alone() -> None:
    first = merged({}, MONDAY, [figure("a", 1)])
    assert merged(first, TUESDAY, [figure("a", 2)])["figures"] == [figure("a", 2)]


def test_a_second_group_of_the_same_run_says_no_date_of_its_own() -> None:
    first = merged({}, MONDAY, [figure("a", 1)])
    assert merged(first, MONDAY, [figure("b", 2)])["figures"] == [figure("a", 1), figure("b", 2)]
