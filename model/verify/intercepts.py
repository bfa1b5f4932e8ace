"""What packets and rules say of a port that a Service of the cluster took before the host's firewall could."""

from __future__ import annotations

from model import bits
from model.report.words import CellVerdict, Culprit, Plane, PortState
from model.verify.classes import Classification
from model.verify.evidence import StreamEvidence
from model.verify.facts import ServiceIntercept, StreamFacts
from model.verify.pairs import Pair

OPEN, CLOSED, UNKNOWN = PortState.OPEN, PortState.CLOSED, PortState.UNKNOWN
OK, VIOLATION, UNPROVEN = CellVerdict.OK, CellVerdict.VIOLATION, CellVerdict.UNPROVEN

_BY_LISTS = "judged by the Service list and the rules in front of Services"


def led_away(pair: Pair, evidence: StreamEvidence, known: StreamFacts) -> int:
    """Return the ports that a Service took: it is there, the packet arrived, and nothing of it came to the firewall."""
    translated = evidence.translated if pair.plane != Plane.EXTERNAL else 0
    return bits.from_ports(known.intercepts) & evidence.arrived & ~evidence.passed & ~translated


def classify_at_destination(
    intercept: ServiceIntercept, expected: PortState, protocol: str, evidence: StreamEvidence, port: int
) -> Classification:
    """
    Judge one port whose probe arrived and did not come to the firewall.

    TCP shows by its reply whether it came through. UDP is silent either way: there the lists are asked, and the note
    says so.
    """
    name = f"Service {intercept.service}"
    judged = _open if expected == OPEN else _closed
    return judged(intercept, name, protocol, _reply(evidence, port))


def rests_on_silence(intercept: ServiceIntercept, expected: PortState) -> bool:
    """Return whether a TCP port is judged by the answer that did not come."""
    return intercept.answered and intercept.gate != "refuse" if expected == OPEN else not intercept.gate


def classify_at_source(intercept: ServiceIntercept, expected: PortState) -> Classification:
    """
    Judge one port that the source's own node translates, so that the packet never leaves for its destination: the lists
    speak.
    """
    note = f"the source's own node leads it to Service {intercept.service}: {_BY_LISTS}"
    if not intercept.gate:
        return Classification(expected, UNKNOWN, UNPROVEN, Culprit.SOURCE, note)
    if intercept.gate == "refuse":
        note = f"the source's own node keeps it from Service {intercept.service}: {_BY_LISTS}"
    seen = OPEN if intercept.answered and intercept.gate == "admit" else CLOSED
    if seen == expected:
        return Classification(expected, seen, OK, Culprit.NONE, note)
    culprit = Culprit.NAT if seen == OPEN else Culprit.SOURCE_EGRESS if intercept.gate == "refuse" else Culprit.LISTENER
    return Classification(expected, seen, VIOLATION, culprit, note)


def _open(intercept: ServiceIntercept, name: str, protocol: str, reply: str) -> Classification:
    if reply == "service":
        return Classification(OPEN, OPEN, OK, Culprit.NONE, f"{name} answered")
    if intercept.gate == "refuse":
        return Classification(
            OPEN,
            CLOSED,
            VIOLATION,
            Culprit.DESTINATION_FIREWALL,
            f"the host's rules in front of Services keep it from {name}",
        )
    if not intercept.answered:
        return Classification(OPEN, CLOSED, VIOLATION, Culprit.LISTENER, f"{name} has no pod that is ready")
    if protocol == "tcp":
        return Classification(OPEN, CLOSED, VIOLATION, Culprit.LISTENER, f"{name} does not answer")
    if intercept.gate == "admit" and not reply:
        return Classification(OPEN, OPEN, OK, Culprit.NONE, f"{name}: {_BY_LISTS}")
    if reply:
        return Classification(OPEN, CLOSED, VIOLATION, Culprit.LISTENER, f"{name} refuses it")
    return Classification(
        OPEN, UNKNOWN, UNPROVEN, Culprit.WITNESS, f"{name}: nobody can tell what the rules in front of Services do"
    )


def _closed(intercept: ServiceIntercept, name: str, protocol: str, reply: str) -> Classification:
    if reply == "service":
        return Classification(
            CLOSED, OPEN, VIOLATION, Culprit.DESTINATION_FIREWALL, f"{name} answered whom no row admits"
        )
    if reply:
        return Classification(
            CLOSED, OPEN, VIOLATION, Culprit.DESTINATION_FIREWALL, f"{name} was asked by whom no row admits"
        )
    if intercept.gate == "refuse":
        return Classification(CLOSED, CLOSED, OK, Culprit.NONE, f"kept from {name}")
    if intercept.gate == "admit":
        return Classification(CLOSED, OPEN, VIOLATION, Culprit.DESTINATION_FIREWALL, f"no rule keeps it from {name}")
    if protocol == "tcp":
        return Classification(CLOSED, CLOSED, OK, Culprit.NONE, f"{name} did not answer")
    return Classification(
        CLOSED, UNKNOWN, UNPROVEN, Culprit.WITNESS, f"{name}: nobody can tell what the rules in front of Services do"
    )


def _reply(evidence: StreamEvidence, port: int) -> str:
    """`service` where somebody spoke, `refused` where somebody said no, else nothing."""
    bit = 1 << port
    if evidence.replied & bit:
        return "service"
    return "refused" if evidence.rst & bit or any(ports & bit for ports in evidence.icmp.values()) else ""
