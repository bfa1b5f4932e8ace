"""What the kernel's rules say of a stream's ports beside its packets: what no probe met, and where the two disagree."""

from __future__ import annotations

from model.report.words import CellVerdict, Culprit, PortState
from model.verify.classes import Classification, PortClasses, move, put
from model.verify.evidence import StreamEvidence
from model.verify.facts import StreamFacts
from model.verify.intercepts import led_away
from model.verify.pairs import EVERY_PORT, Pair

OPEN, CLOSED, UNKNOWN = PortState.OPEN, PortState.CLOSED, PortState.UNKNOWN
VIOLATION = CellVerdict.VIOLATION


def classify_by_rules(
    classes: PortClasses, pair: Pair, protocol: str, evidence: StreamEvidence, known: StreamFacts
) -> None:
    """Put the matrix against the kernel's rules: that finds what no probe met."""
    opened, probed, tolerated = pair.open(protocol), pair.probed.get(protocol, 0), pair.tolerated(protocol)
    hidden = probed & ~evidence.arrived & ~evidence.passed if pair.border else 0
    if known.ingress is not None:
        holes = known.ingress.admitted & EVERY_PORT & ~opened & ~tolerated
        note = "the host's rules admit what no row opens"
        move(
            classes,
            holes & hidden,
            Classification(
                CLOSED, CLOSED, VIOLATION, Culprit.DESTINATION_FIREWALL, f"{note}; only the border stops it"
            ),
        )
        seen = UNKNOWN if pair.border else OPEN
        put(
            classes,
            Classification(CLOSED, seen, VIOLATION, Culprit.DESTINATION_FIREWALL, note, by_rules=True),
            holes & ~probed,
        )
        shut = known.ingress.refused & opened & ~probed
        note = "the host's rules refuse what a row opens"
        put(classes, Classification(OPEN, CLOSED, VIOLATION, Culprit.DESTINATION_FIREWALL, note, by_rules=True), shut)
        opened &= ~shut
    if known.egress is not None:
        stopped = known.egress.refused & opened & ~probed
        note = "the source's rules refuse what a row opens"
        put(classes, Classification(OPEN, CLOSED, VIOLATION, Culprit.SOURCE_EGRESS, note, by_rules=True), stopped)


def contradictions(pair: Pair, protocol: str, evidence: StreamEvidence, known: StreamFacts) -> tuple[int, int]:
    """
    Return the probed ports on which evidence and the destination's rules disagree.

    First those the rules admit and evidence were dropped on, then those the rules refuse and evidence passed.
    """
    if known.ingress is None or not (known.source_alive and known.witness_alive):
        return 0, 0
    probed = pair.probed.get(protocol, 0)
    dnat_ports = led_away(pair, evidence, known)
    dropped = probed & evidence.arrived & ~evidence.passed & ~evidence.replied & ~dnat_ports & known.ingress.admitted
    return dropped, probed & evidence.passed & known.ingress.refused
