"""What loss may explain of each thing that was not seen, and how often it must be tried before it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from model import bits
from model.report.words import CellVerdict, Culprit, PortState
from model.verify.evidence import Doubt, RunEvidence, StreamEvidence, join
from model.verify.facts import StreamFacts
from model.verify.loss import MOST_SENDS, Loss
from model.verify.probing import AgentRecords, WitnessRecord
from model.verify.sendings import SYNS, Sendings, path_of
from model.verify.ssh_reachability import SshReachability, _judged
from model.verify.verdicts import classify
from tests.model.verify.simulation import reference
from tests.model.verify.test_evidence import pair, seen, sent

OPEN, SHUT = 1 << 10250, 1 << 5433
MANY = ((1 << 400) - 1) << 20000
STREAM = pair("cp-1", "w-1", probed=OPEN | SHUT | MANY)
BACK = pair("w-1", "cp-1", probed=MANY)
ALL = OPEN | SHUT | MANY


def evidence(there: int, passed: int = 0, rst: int = 0, back: int = MANY) -> RunEvidence:
    """What is known once these ports arrived, passed and were answered, and those on the way back arrived."""
    records = AgentRecords(
        {"cp-1": (replace(sent(STREAM, ALL), rst=rst, icmp={}),), "w-1": (sent(BACK, MANY),)},
        {
            "w-1": WitnessRecord((seen(STREAM, there, passed),), (), 0),
            "cp-1": WitnessRecord((seen(BACK, back, 0),), (), 0),
        },
    )
    return join(reference(), (STREAM, BACK), records)


def sendings(*rounds: RunEvidence, owed: int = 0) -> Sendings:
    """Rounds of everything, with what was known after each."""
    taken = Sendings(lambda *_: owed)
    for known in rounds:
        taken.note((STREAM, BACK), None, known)
    return taken


def part(share: float) -> int:
    """So much of the many ports."""
    return MANY & ((1 << 20000 + int(400 * share)) - 1)


def test_where_nothing_is_lost_three_rounds_are_enough() -> None:
    known = evidence(MANY | SHUT)
    for rounds, lost in ((1, OPEN), (2, OPEN), (3, 0)):
        assert sendings(*[known] * rounds).doubt(STREAM, "tcp", known).lost == lost


@pytest.mark.parametrize("loss", [Loss(441, 40), Loss(521, 120)])
def test_where_packets_are_lost_more_rounds_are_needed_and_the_loss_is_named(loss: Loss) -> None:
    first, known = evidence(part(1 - loss.lost / 400) | SHUT), evidence(MANY | SHUT)
    rest = [known] * (loss.sends - 1)
    before = sendings(first, *rest[1:]).doubt(STREAM, "tcp", known)
    assert (before.lost, before.loss) == (OPEN, f"cp-1 to w-1 by IPv4: {loss}")
    assert sendings(first, *rest).doubt(STREAM, "tcp", known) == Doubt()


def test_a_service_is_owed_an_answer_as_often_as_there_and_back_lose_asks() -> None:
    clean, heard = evidence(ALL, OPEN), evidence(ALL, OPEN, rst=OPEN)
    lossy = evidence(ALL, OPEN, back=part(0.8))
    assert sendings(clean, owed=OPEN).doubt(STREAM, "tcp", clean).unheard == 0, "nothing is lost"
    rounds = [lossy, clean]
    assert sendings(*rounds, owed=OPEN).doubt(STREAM, "tcp", clean).unheard == OPEN
    assert sendings(*rounds, owed=OPEN).doubt(STREAM, "tcp", heard).unheard == 0, "it was refused"
    assert sendings(*rounds).doubt(STREAM, "tcp", clean).unheard == 0, "nothing is owed"
    assert sendings(*rounds, *[clean] * 8, owed=OPEN).doubt(STREAM, "tcp", clean).unheard == 0


def test_what_arrives_and_sometimes_passes_is_in_doubt_until_it_was_tried_often_enough() -> None:
    port, other = (1 << number for number in bits.to_ports(STREAM.open("tcp"))[:2])
    stream = replace(STREAM, probed={"tcp": port | other, "udp": 0})

    def known(passed: int) -> RunEvidence:
        row = replace(sent(stream, port | other), icmp={})
        witness = WitnessRecord((seen(stream, port | other, passed),), (), 0)
        return join(reference(), (stream,), AgentRecords({"cp-1": (row,)}, {"w-1": witness}))

    def doubt(*rounds: RunEvidence) -> Doubt:
        taken = Sendings(lambda *_: 0)
        for taken_down in rounds:
            taken.note((stream,), None, taken_down)
        return taken.doubt(stream, "tcp", rounds[-1])

    assert doubt(known(0)) == Doubt(), "a firewall that lets nothing through"
    assert doubt(known(0), known(other)) == Doubt(stuck=port, loss="behind the wire of w-1: 50% of 2 packets lost")
    assert doubt(known(0), *[known(other)] * MOST_SENDS) == Doubt()


def judged(known: StreamEvidence, **facts: int) -> set[tuple[CellVerdict, Culprit, str]]:
    """What comes of one open port."""
    one = replace(STREAM, probed={"tcp": OPEN, "udp": 0})
    classes = classify(one, "tcp", known, StreamFacts(owed=facts.get("owed", 0)))
    return {(told.verdict, told.culprit, told.note) for told, ports in classes.items() if ports & OPEN}


WORDS = "packets are lost here, which may be why; so many"


@pytest.mark.parametrize(
    ("arrived", "passed", "doubt", "verdict", "culprit"),
    [
        (0, 0, Doubt(lost=OPEN, loss="so many"), "unproven", "path"),
        (0, 0, Doubt(), "violation", "path"),
        (OPEN, 0, Doubt(stuck=OPEN, loss="so many"), "unproven", "destination-firewall"),
        (OPEN, 0, Doubt(), "violation", "destination-firewall"),
        (OPEN, OPEN, Doubt(unheard=OPEN, loss="so many"), "unproven", "listener"),
        (OPEN, OPEN, Doubt(), "violation", "listener"),
    ],
)
def test_what_loss_may_explain_is_unproven_and_says_so(
    arrived: int, passed: int, doubt: Doubt, verdict: str, culprit: str
) -> None:
    known = StreamEvidence(sent=OPEN, arrived=arrived, passed=passed, doubt=doubt)
    ((told, blamed, note),) = judged(known, owed=OPEN)
    assert (told, blamed) == (verdict, culprit)
    assert note.endswith(WORDS) == (verdict == "unproven")


def test_what_a_border_should_stop_is_sent_twice_where_nothing_is_lost_and_more_often_where_something_is() -> None:
    border = pair("li-1", "w-1", probed=SHUT | MANY)
    near = pair("li-1", "cp-1", probed=MANY)
    assert border.border

    def known(arrived: int) -> RunEvidence:
        rows = (replace(sent(border, SHUT | MANY), icmp={}), replace(sent(near, MANY), icmp={}))
        witnesses = {"cp-1": WitnessRecord((seen(near, arrived, 0),), (), 0), "w-1": WitnessRecord((), (), 0)}
        return join(reference(), (border, near), AgentRecords({"li-1": rows}, witnesses))

    def doubt(*rounds: RunEvidence) -> Doubt:
        taken = Sendings(lambda *_: 0)
        for taken_down in rounds:
            taken.note((border, near), None, taken_down)
        return taken.doubt(border, "tcp", rounds[-1])

    assert doubt(known(MANY)) == Doubt()
    lossy = doubt(known(part(0.9)), known(MANY))
    assert lossy.lost & SHUT
    assert lossy.loss.startswith("li-1 to anybody by IPv4: 9% of 440 packets lost")
    assert doubt(known(part(0.9)), *[known(MANY)] * 6) == Doubt()


def test_the_controllers_connections_are_tried_more_often_where_the_host_loses_packets() -> None:
    clean = evidence(ALL)
    assert sendings(clean).greetings("w-1") * SYNS >= Loss().sends
    lossy = sendings(evidence(part(0.7)), clean)
    assert sendings(clean).greetings("w-1") <= lossy.greetings("w-1") <= MOST_SENDS // SYNS
    worse = sendings(evidence(part(0.1)), *[evidence(part(0.2))] * 3, clean)
    assert worse.greetings("w-1") > MOST_SENDS, "never often enough"
    assert "on the way to w-1" in lossy.around("w-1")
    assert lossy.losses.keys() == {path_of(STREAM)}


@pytest.mark.parametrize(
    ("arrived", "passed", "doubt", "verdict", "seen_state", "culprit"),
    [
        (0, 0, "", "violation", "closed", "path"),
        (0, 0, "lost", "unproven", "unknown", "path"),
        (3, 3, "", "violation", "open", "listener"),
        (3, 3, "lost", "unproven", "open", "listener"),
        (3, 0, "lost", "violation", "closed", "destination-firewall"),
    ],
)
def test_an_sshd_that_does_not_greet_is_a_violation_only_without_doubt(
    arrived: int, passed: int, doubt: str, verdict: str, seen_state: Literal["open", "closed", "unknown"], culprit: str
) -> None:
    answer = SshReachability(answered=False, arrived=arrived, passed=passed, doubt=doubt)
    assert _judged(answer) == (CellVerdict(verdict), PortState(seen_state), Culprit(culprit))
