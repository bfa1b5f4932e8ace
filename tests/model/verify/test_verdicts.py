"""What four points of evidence mean: every case by name, then what must hold of all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.matrix.matrix import Opening
from model.packets.netfilter import ALL, RulesetVerdict
from model.report.words import Plane
from model.verify.classes import Classification, PortClasses
from model.verify.evidence import StreamEvidence
from model.verify.facts import StreamFacts
from model.verify.pairs import EVERY_PORT, Pair
from model.verify.rule_verdicts import contradictions
from model.verify.verdicts import classify

PORT = 100
BIT = 1 << PORT


def pair(*opened: tuple[int, int], probed: int = BIT, border: bool = False, plane: str = "host") -> Pair:
    openings = tuple(Opening("tcp", interval, ("row",)) for interval in opened)
    source_dnat, far = ip_address("10.0.0.1"), ip_address("10.0.0.2")
    external = "ingress" if plane == "external" else ""
    return Pair(
        source="a",
        destination="b",
        source_address=source_dnat,
        address=far,
        plane=Plane(plane),
        border=border or plane == "external",
        openings=openings,
        external=external,
        probed={"tcp": probed},
    )


def words(classes: PortClasses, port: int = PORT) -> tuple[str, str, str]:
    """The one classification of a port, as (seen, verdict, culprit)."""
    (classification,) = [classification for classification, ports in classes.items() if ports >> port & 1]
    return classification.seen, classification.verdict, classification.culprit


@dataclass(frozen=True)
class Case:
    """
    Evidence letters: S sent, E refused by EPERM, U no route, A arrived, P passed, T translated, X strayed, R answered.
    """

    evidence: str
    classification: tuple[str, str, str]
    border: bool = False
    plane: str = "host"
    source_proven: bool = True
    witness_proven: bool = True


def packets(evidence: str) -> StreamEvidence:
    names = {"S": "sent", "E": "refused", "U": "unroutable", "A": "arrived", "P": "passed", "T": "translated"}
    names |= {"X": "strayed", "R": "synack"}
    return StreamEvidence(**{names[letter]: BIT for letter in evidence})  # type: ignore[arg-type]


OPEN = [
    Case("SAP", ("open", "ok", "")),
    Case("SAP", ("open", "ok", ""), border=True),
    Case("SAPR", ("open", "ok", ""), plane=Plane.EXTERNAL),
    Case("SAPT", ("open", "ok", ""), plane=Plane.EXTERNAL),
    Case("SAPT", ("open", "violation", "nat")),
    Case("SAT", ("closed", "violation", "nat")),
    Case("SA", ("closed", "violation", "destination-firewall")),
    Case("SA", ("closed", "violation", "destination-firewall"), border=True),
    Case("SA", ("closed", "violation", "destination-firewall"), source_proven=False, witness_proven=False),
    Case("SAR", ("open", "ok", "")),
    Case("SR", ("open", "violation", "nat")),
    Case("E", ("closed", "violation", "source-egress")),
    Case("E", ("closed", "violation", "source-egress"), witness_proven=False),
    Case("SE", ("closed", "violation", "source-egress")),
    Case("SEAP", ("open", "ok", "")),
    Case("U", ("closed", "violation", "source-egress")),
    Case("S", ("closed", "violation", "path")),
    Case("S", ("closed", "violation", "path"), border=True),
    Case("S", ("unknown", "unproven", "source"), source_proven=False),
    Case("S", ("unknown", "unproven", "witness"), witness_proven=False),
    Case("S", ("unknown", "unproven", "source"), source_proven=False, witness_proven=False),
    Case("SX", ("closed", "violation", "nat")),
    Case("", ("unknown", "unproven", "source")),
]
CLOSED = [
    Case("SA", ("closed", "ok", "")),
    Case("SA", ("closed", "ok", ""), source_proven=False, witness_proven=False),
    Case("SAP", ("open", "violation", "destination-firewall")),
    Case("SAP", ("open", "violation", "path"), border=True),
    Case("SAP", ("open", "violation", "path"), plane=Plane.EXTERNAL),
    Case("SAPT", ("open", "violation", "nat")),
    Case("SA", ("closed", "violation", "path"), border=True),
    Case("SA", ("closed", "violation", "path"), plane=Plane.EXTERNAL),
    Case("SAR", ("open", "violation", "nat")),
    Case("SR", ("open", "violation", "nat")),
    Case("SR", ("open", "violation", "nat"), border=True),
    Case("SX", ("open", "violation", "nat")),
    Case("SX", ("open", "violation", "nat"), border=True),
    Case("E", ("closed", "ok", "")),
    Case("U", ("closed", "ok", ""), border=True),
    Case("S", ("unknown", "unproven", "path")),
    Case("S", ("unknown", "unproven", "source"), source_proven=False),
    Case("S", ("unknown", "unproven", "witness"), witness_proven=False),
    Case("S", ("closed", "ok", ""), border=True),
    Case("S", ("closed", "ok", ""), plane=Plane.EXTERNAL),
    Case("S", ("unknown", "unproven", "source"), border=True, source_proven=False),
    Case("S", ("unknown", "unproven", "witness"), border=True, witness_proven=False),
    Case("", ("unknown", "unproven", "source"), border=True),
    Case("", ("unknown", "unproven", "source")),
]


def verdict(case: Case, opened: tuple[tuple[int, int], ...]) -> tuple[str, str, str]:
    known = StreamFacts(source_proven=case.source_proven, witness_proven=case.witness_proven)
    classes = classify(pair(*opened, border=case.border, plane=case.plane), "tcp", packets(case.evidence), known)
    assert sum(classes.values()) == BIT
    return words(classes)


@pytest.mark.parametrize("case", OPEN, ids=repr)
def test_an_open_port_is_judged_by_the_first_missing_point(case: Case) -> None:
    assert verdict(case, ((PORT, PORT),)) == case.classification


@pytest.mark.parametrize("case", CLOSED, ids=repr)
def test_a_closed_port_needs_proof_that_the_probe_came_or_that_a_border_stands(case: Case) -> None:
    assert verdict(case, ()) == case.classification


@pytest.mark.parametrize(
    ("source_alive", "witness_alive", "culprit"),
    [(False, True, "source"), (True, False, "witness"), (False, False, "source")],
)
def test_without_an_agent_at_one_end_every_port_is_unproven_probed_or_not(
    source_alive: bool, witness_alive: bool, culprit: str
) -> None:
    known = StreamFacts(source_alive=source_alive, witness_alive=witness_alive, ingress=RulesetVerdict(ALL, 0, 0))
    classes = classify(pair((PORT, PORT)), "tcp", packets("SAPR"), known)
    assert {(classification.verdict, classification.culprit, classification.seen) for classification in classes} == {
        ("unproven", culprit, "unknown")
    }
    assert sum(classes.values()) == EVERY_PORT
    assert contradictions(pair(), "tcp", packets("SA"), known) == (0, 0)


def test_lost_packets_of_one_port_do_not_excuse_a_pair_whose_others_came() -> None:
    both = pair((PORT, PORT + 1), probed=BIT * 3)
    classes = classify(
        both, "tcp", StreamEvidence(sent=BIT * 3, arrived=BIT, passed=BIT), StreamFacts(True, True, False, False)
    )
    assert words(classes) == ("open", "ok", "")
    assert words(classes, PORT + 1) == ("closed", "violation", "path")


HOLE = RulesetVerdict(BIT << 1, ALL & ~(BIT << 1), 0)


def by_rules(classes: PortClasses) -> list[tuple[Classification, int]]:
    return [(classification, ports) for classification, ports in classes.items() if classification.by_rules]


def test_a_hole_in_the_rules_is_found_where_no_probe_went() -> None:
    ((classification, ports),) = by_rules(classify(pair(), "tcp", packets("SA"), StreamFacts(ingress=HOLE)))
    assert (classification.expected, classification.seen, classification.verdict, classification.culprit) == (
        ("closed", "open", "violation", "destination-firewall")
    )
    assert ports == BIT << 1


def test_a_hole_behind_a_border_is_found_and_nobody_claims_to_have_seen_it_open() -> None:
    probed = BIT | BIT << 1
    shut = StreamEvidence(sent=probed)
    classes = classify(pair(border=True, probed=probed), "tcp", shut, StreamFacts(ingress=HOLE))
    assert words(classes) == ("closed", "ok", "")
    assert words(classes, PORT + 1) == ("closed", "violation", "destination-firewall")
    unprobed = classify(pair(border=True), "tcp", StreamEvidence(sent=BIT), StreamFacts(ingress=HOLE))
    assert words(unprobed, PORT + 1) == ("unknown", "violation", "destination-firewall")


def test_a_gap_in_the_rules_within_an_open_range_is_found_where_no_probe_went() -> None:
    ruled = RulesetVerdict(ALL & ~(BIT << 1), BIT << 1, 0)
    wide = pair((PORT, PORT + 9))
    assert words(classify(wide, "tcp", packets("SAP"), StreamFacts(ingress=ruled)), PORT + 1) == (
        ("closed", "violation", "destination-firewall")
    )
    assert words(classify(wide, "tcp", packets("SAP"), StreamFacts(egress=ruled)), PORT + 1) == (
        ("closed", "violation", "source-egress")
    )


def test_rules_that_cannot_be_judged_prove_nothing_beside_what_packets_show() -> None:
    unsure = RulesetVerdict(0, 0, ALL)
    classes = classify(pair((PORT, PORT + 9)), "tcp", packets("SAP"), StreamFacts(ingress=unsure, egress=unsure))
    assert words(classes) == ("open", "ok", "")
    assert words(classes, PORT + 1) == words(classes, 9) == ("unknown", "unproven", "destination-firewall")
    classes = classify(pair((PORT, PORT + 9)), "tcp", packets("SAP"), StreamFacts(egress=unsure))
    assert words(classes, PORT + 1) == ("unknown", "unproven", "source-egress")


def test_what_rules_admit_and_packets_deny_is_a_contradiction_both_ways() -> None:
    everything = StreamFacts(ingress=RulesetVerdict(ALL, 0, 0))
    nothing = StreamFacts(ingress=RulesetVerdict(0, ALL, 0))
    assert contradictions(pair(), "tcp", packets("SA"), everything) == (BIT, 0)
    assert contradictions(pair(), "tcp", packets("SAP"), nothing) == (0, BIT)
    assert contradictions(pair(), "tcp", packets("SAP"), everything) == (0, 0)
    assert contradictions(pair(), "tcp", packets("SA"), nothing) == (0, 0)
    assert contradictions(pair(), "tcp", packets("SAR"), everything) == (0, 0), "translated past INPUT"
    assert contradictions(pair(), "tcp", packets("S"), everything) == (0, 0)


def test_a_declared_service_must_answer_where_it_is_owed() -> None:
    owed = StreamFacts(owed=BIT)
    assert words(classify(pair((PORT, PORT)), "tcp", packets("SAP"), owed)) == ("open", "violation", "listener")
    assert words(classify(pair((PORT, PORT)), "tcp", packets("SAPR"), owed)) == ("open", "ok", "")
    assert words(classify(pair(), "tcp", packets("SA"), owed)) == ("closed", "ok", "")


def test_the_right_process_must_own_an_open_port() -> None:
    known = StreamFacts(owners={PORT: "nc"}, declared_owners={PORT: frozenset({"postgres"})})
    assert words(classify(pair((PORT, PORT)), "tcp", packets("SAPR"), known)) == ("open", "violation", "wrong-process")
    assert words(classify(pair(), "tcp", packets("SA"), known)) == ("closed", "ok", "")
    right = replace(known, owners={PORT: "postgres"})
    assert words(classify(pair((PORT, PORT)), "tcp", packets("SAPR"), right)) == ("open", "ok", "")


few = st.integers(0, 2**24 - 1)
evidences = st.builds(
    StreamEvidence,
    sent=few,
    refused=few,
    unroutable=few,
    arrived=few,
    passed=few,
    synack=few,
    data=few,
    strayed=few,
    translated=few,
)
ruled = st.none() | st.builds(lambda admitted: RulesetVerdict(admitted, ALL & ~admitted, 0), few)
circumstances = st.builds(
    StreamFacts, *[st.booleans()] * 4, ingress=ruled, egress=ruled, owed=few,
    owners=st.dictionaries(st.integers(0, 23), st.sampled_from(["x", "y"])),
    declared_owners=st.dictionaries(st.integers(0, 23), st.just(frozenset({"x"}))),
)  # fmt: skip


@given(few, st.lists(st.integers(1, 22), max_size=3), st.booleans(), evidences, circumstances)
def test_stories_are_disjoint_cover_every_probe_and_are_never_ok_without_evidence(
    probed: int, opened: list[int], border: bool, seen: StreamEvidence, known: StreamFacts
) -> None:
    probed &= EVERY_PORT
    intervals = tuple((port, port) for port in sorted(set(opened)))
    first = pair(*intervals, probed=probed, border=border)
    classes = classify(first, "tcp", seen, known)
    union = 0
    for ports in classes.values():
        assert ports > 0
        assert not ports & union
        union |= ports
    assert union & probed == probed
    for classification, ports in classes.items():
        assert bool(classification.culprit) == (classification.verdict != "ok")
        assert ports & (first.open("tcp") if classification.expected == "closed" else ~first.open("tcp")) == 0
        if classification.verdict == "ok" and classification.expected == "open":
            assert ports & ~(seen.passed | (seen.arrived & seen.replied)) == 0
        elif classification.verdict == "ok":
            proven = seen.arrived | seen.refused | seen.unroutable
            border_stands = border and known.source_proven and known.witness_proven
            assert ports & ~(proven | (seen.sent if border_stands else 0)) == 0
            assert ports & (seen.passed | seen.replied) == 0
        if not classification.by_rules and known.source_alive and known.witness_alive:
            assert ports & ~probed == 0
