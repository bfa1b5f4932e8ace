"""What is known of loss from what arrived late, and how often the rest was sent in vain."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model.verify.ledger import Ledger
from model.verify.loss import MOST_SENDS, Loss

KEY = ("cp-1", "10.20.1.21", "tcp")
PORTS = range(6)
Round = tuple[int, int]


def rounds(*each_round: Round) -> Ledger[str]:
    """A ledger of rounds of one stream: ports sent, and of those the ports that arrive."""
    ledger: Ledger[str] = Ledger()
    seen = 0
    for sent, arriving in each_round:
        seen |= sent & arriving
        ledger.note("path", KEY, sent, seen)
        ledger.close_round()
    return ledger


@given(st.lists(st.tuples(st.integers(0, 63), st.integers(0, 63)), max_size=8))
def test_it_counts_as_counting_port_by_port_does(history: list[Round]) -> None:
    ledger = rounds(*history)
    known = lost = 0
    for port in PORTS:
        mine = [arriving >> port & 1 for sent, arriving in history if sent >> port & 1]
        until = mine.index(1) if 1 in mine else None
        if until is not None:
            known, lost = known + until + 1, lost + until
        vain = 0 if until is not None else len(mine)
        assert [ledger.often(KEY, sends) >> port & 1 for sends in range(1, 10)] == [
            int(sends <= vain) for sends in range(1, 10)
        ]
    assert ledger.loss("path") == Loss(known, lost)


MANY = (1 << 20) - 1


def test_a_round_in_the_dark_tells_nothing_of_loss_once_the_path_is_back() -> None:
    ledger = rounds((MANY, 0), (MANY, 0), (MANY, MANY - 1))
    assert ledger.loss("path") == Loss(19, 0)
    assert (ledger.often(KEY, 1), ledger.often(KEY, 2)) == (1, 0), "sent in vain once while the path worked"


def test_a_round_of_which_only_one_probe_could_arrive_was_no_outage() -> None:
    ledger = rounds((MANY, 0), (MANY, 1))
    assert ledger.loss("path") == Loss(2, 1)
    assert (ledger.often(KEY, 2), ledger.often(KEY, 3)) == (MANY - 1, 0)


def test_what_nothing_ever_comes_of_was_sent_as_often_as_it_was() -> None:
    ledger = rounds((MANY, 0), (MANY, 0), (MANY, 0))
    assert (ledger.loss("path"), ledger.often(KEY, 3), ledger.often(KEY, 4)) == (Loss(), MANY, 0)


def test_what_loss_may_explain_for_ever_is_never_sent_often_enough() -> None:
    ledger = rounds(*[(1, 0)] * (MOST_SENDS + 2))
    assert (ledger.often(KEY, MOST_SENDS), ledger.often(KEY, MOST_SENDS + 1)) == (1, 0)


def test_what_arrives_only_while_others_are_sent_was_lost_as_often_as_it_had_been_sent() -> None:
    ledger: Ledger[str] = Ledger()
    for sent, seen in ((3, 0), (1, 2), (1, 2)):
        ledger.note("path", KEY, sent, seen)
        ledger.close_round()
    assert ledger.loss("path") == Loss(2, 1)


def test_wider_groups_hold_the_sum_of_theirs() -> None:
    ledger: Ledger[str] = Ledger()
    for group, seen in (("a1", 3), ("a2", 1), ("b1", 0)):
        ledger.note(group, (group, "", "tcp"), 3, seen)
    ledger.close_round()
    ledger.note("a2", ("a2", "", "tcp"), 2, 3)
    ledger.close_round()
    assert ledger.pooled("a", lambda group: group[:1]) == Loss(5, 1)
    assert ledger.pooled("c", lambda group: group[:1]) == Loss()
