"""A port that a Service took: what its reply, or without one the lists, come to."""

from __future__ import annotations

import pytest

from model.report.words import PortState
from model.verify.evidence import StreamEvidence
from model.verify.facts import GateAnswer, ServiceIntercept
from model.verify.intercepts import classify_at_destination, classify_at_source

PORT = 30080
BIT = 1 << PORT
REPLIES = {
    "": StreamEvidence(),
    "syn-ack": StreamEvidence(synack=BIT),
    "rst": StreamEvidence(rst=BIT),
    "icmp": StreamEvidence(icmp={"3 x": BIT}),
}
REPLIES["data"] = StreamEvidence(data=BIT)


@pytest.mark.parametrize(
    ("expected", "protocol", "reply", "gate", "answered", "classification"),
    [
        # Admitted: the answer is the proof.
        ("open", "tcp", "syn-ack", "admit", True, ("open", "ok", "")),
        ("open", "tcp", "syn-ack", "", True, ("open", "ok", "")),
        ("open", "tcp", "", "refuse", True, ("closed", "violation", "destination-firewall")),
        ("open", "tcp", "", "admit", True, ("closed", "violation", "listener")),
        ("open", "tcp", "icmp", "admit", False, ("closed", "violation", "listener")),
        ("open", "udp", "data", "admit", True, ("open", "ok", "")),
        ("open", "udp", "", "admit", True, ("open", "ok", "")),
        ("open", "udp", "", "admit", False, ("closed", "violation", "listener")),
        ("open", "udp", "icmp", "admit", True, ("closed", "violation", "listener")),
        ("open", "udp", "", "refuse", True, ("closed", "violation", "destination-firewall")),
        ("open", "udp", "", "", True, ("unknown", "unproven", "witness")),
        # Not admitted: any reply is too many.
        ("closed", "tcp", "syn-ack", "refuse", True, ("open", "violation", "destination-firewall")),
        ("closed", "tcp", "rst", "refuse", True, ("open", "violation", "destination-firewall")),
        ("closed", "udp", "icmp", "refuse", True, ("open", "violation", "destination-firewall")),
        ("closed", "udp", "data", "refuse", True, ("open", "violation", "destination-firewall")),
        ("closed", "tcp", "", "refuse", True, ("closed", "ok", "")),
        ("closed", "udp", "", "refuse", True, ("closed", "ok", "")),
        ("closed", "tcp", "", "admit", False, ("open", "violation", "destination-firewall")),
        ("closed", "udp", "", "admit", True, ("open", "violation", "destination-firewall")),
        ("closed", "tcp", "", "", True, ("closed", "ok", "")),
        ("closed", "udp", "", "", True, ("unknown", "unproven", "witness")),
    ],
)
def test_story(
    expected: str, protocol: str, reply: str, gate: GateAnswer, answered: bool, classification: tuple[str, str, str]
) -> None:
    classes = classify_at_destination(
        ServiceIntercept("default/echo", answered, gate), PortState(expected), protocol, REPLIES[reply], PORT
    )
    assert (classes.seen, classes.verdict, classes.culprit) == classification
    assert classes.expected == expected
    assert "Service default/echo" in classes.note


def test_udp_that_is_judged_by_lists_says_so() -> None:
    assert (
        "judged by the Service list"
        in classify_at_destination(
            ServiceIntercept("a/b", True, "admit"), PortState.OPEN, "udp", StreamEvidence(), PORT
        ).note
    )


@pytest.mark.parametrize(
    ("expected", "gate", "answered", "classification"),
    [
        ("closed", "admit", True, ("open", "violation", "nat")),
        ("closed", "admit", False, ("closed", "ok", "")),
        ("closed", "refuse", True, ("closed", "ok", "")),
        ("closed", "", True, ("unknown", "unproven", "source")),
        ("open", "admit", True, ("open", "ok", "")),
        ("open", "admit", False, ("closed", "violation", "listener")),
        ("open", "refuse", True, ("closed", "violation", "source-egress")),
    ],
)
def test_what_the_sources_own_node_takes_is_told_by_the_lists(
    expected: str, gate: GateAnswer, answered: bool, classification: tuple[str, str, str]
) -> None:
    classes = classify_at_source(ServiceIntercept("default/outside", answered, gate), PortState(expected))
    assert (classes.seen, classes.verdict, classes.culprit) == classification
    assert "default/outside" in classes.note
    assert "judged by the Service list" in classes.note
