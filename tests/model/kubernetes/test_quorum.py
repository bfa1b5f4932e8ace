"""Who may leave etcd."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.kubernetes.quorum import Seat, exposure, needed, objection, tolerance


def seats(**healthy: bool) -> list[Seat]:
    return [Seat(name, True, value) for name, value in healthy.items()]


def test_one_of_three_may_leave() -> None:
    assert objection(seats(a=True, b=True, c=True), {"a"}) == ""


def test_a_dead_one_of_three_may_leave() -> None:
    assert objection(seats(a=False, b=True, c=True), {"a"}) == ""


def test_a_healthy_one_may_not_leave_while_another_is_dead() -> None:
    assert "no quorum without b: 1 of 2" in objection(seats(a=False, b=True, c=True), {"b"})


def test_the_dead_one_leaves_first_where_both_go() -> None:
    assert objection(seats(a=True, b=False, c=True), {"a", "b"}) == ""


def test_without_quorum_nobody_leaves() -> None:
    assert "before a leaves" in objection(seats(a=False, b=False, c=True), {"a"})


def test_the_last_member_stays() -> None:
    assert "last member" in objection(seats(a=True), {"a"})


def test_a_learner_does_not_count() -> None:
    assert objection([*seats(a=True, b=True), Seat("c", False, False)], {"c"}) == ""
    assert objection([*seats(a=True, b=True), Seat("c", False, False)], {"a"}) == ""


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.sets(st.integers(0, 6)))
def test_what_is_allowed_leaves_a_quorum(healthy: list[bool], going: set[int]) -> None:
    all_seats = [Seat(str(number), True, value) for number, value in enumerate(healthy)]
    if not objection(all_seats, {str(number) for number in going}) and going & set(range(len(healthy))):
        left = [seat for seat in all_seats if int(seat.name) not in going]
        assert left
        assert sum(seat.healthy for seat in left) >= needed(len(left))


@pytest.mark.parametrize(
    ("members", "leaving", "words"),
    [
        ("abc", "ab", "left with 1 of 3 member (c): with the next loss its data would be gone"),
        ("abc", "c", "left with 2 of 3 members (a, b): with the next loss the cluster would stand still"),
        ("abcde", "abc", "left with 2 of 5 members"),
        ("ab", "a", "left with 1 of 2 member (b)"),
        ("abcd", "ab", "left with 2 of 4 members"),
    ],
)
def test_a_step_that_leaves_no_member_to_spare_is_named(members: str, leaving: str, words: str) -> None:
    assert words in exposure(seats(**dict.fromkeys(members, True)), set(leaving))


@pytest.mark.parametrize(
    ("healthy", "leaving"),
    [
        ({"a": True, "b": True, "c": True, "d": True}, "d"),
        (dict.fromkeys("abcde", True), "de"),
        ({"a": False, "b": True, "c": True}, "a"),
        (dict.fromkeys("abc", True), ""),
        (dict.fromkeys("abc", True), "abc"),
        ({"a": True, "b": False}, "b"),
    ],
)
def test_a_step_that_takes_no_tolerance_away_needs_no_consent(healthy: dict[str, bool], leaving: str) -> None:
    assert exposure(seats(**healthy), set(leaving)) == ""


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.sets(st.integers(0, 6)))
def test_without_a_word_the_tolerance_that_was_there_is_not_used_up(healthy: list[bool], going: set[int]) -> None:
    every = [Seat(str(number), True, value) for number, value in enumerate(healthy)]
    left = [seat for seat in every if int(seat.name) not in going]
    if left and tolerance(every) > 0 and not exposure(every, {str(number) for number in going}):
        assert tolerance(left) > 0
