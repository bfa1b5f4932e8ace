"""What the kernel's rules say of a stream's ports beside its packets: what no probe met, and where the two disagree."""

from __future__ import annotations

from dataclasses import replace

from model import bits
from model.packets.packet import RulesetVerdict
from model.packets.publishing import NODE_PORTS
from model.report.words import CellVerdict, Culprit, PortState
from model.verify.classes import Classification, PortClasses, move, put
from model.verify.evidence import StreamEvidence
from model.verify.facts import StreamFacts
from model.verify.intercepts import led_away
from model.verify.pairs import EVERY_PORT, Pair

# What stands before a rule's name in a note.
RULE = "by the rule "
OPEN, CLOSED, UNKNOWN = PortState.OPEN, PortState.CLOSED, PortState.UNKNOWN
UNPROVEN, VIOLATION = CellVerdict.UNPROVEN, CellVerdict.VIOLATION


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
        _classify_led(classes, opened, probed, evidence, known.ingress)
        _classify_published(classes, ~opened & ~bits.from_ports(known.intercepts), probed, protocol, evidence, known)
        _classify_unknown(classes, known.ingress.uncertain & ~probed, opened, Culprit.DESTINATION_FIREWALL)
        # Of the rest the destination has said its word.
        opened &= known.ingress.admitted | probed
    if known.egress is not None:
        stopped = known.egress.refused & opened & ~probed
        note = "the source's rules refuse what a row opens"
        put(classes, Classification(OPEN, CLOSED, VIOLATION, Culprit.SOURCE_EGRESS, note, by_rules=True), stopped)
        _classify_unknown(classes, known.egress.uncertain & opened & ~probed, opened, Culprit.SOURCE_EGRESS)
    _name_rules(classes, known)


def _classify_led(
    classes: PortClasses, opened: int, probed: int, evidence: StreamEvidence, ruled: RulesetVerdict
) -> None:
    """Judge ports that a rule leads to another port or address before the host's firewall sees them."""
    for ruling in ruled.rulings:
        if ruling.effect != "leads":
            continue
        note = f"the host leads it to {ruling.to}"
        silent, shut = ruling.ports & EVERY_PORT & ~probed, ruling.landing == "refuse"
        put(
            classes,
            Classification(OPEN, CLOSED if shut else UNKNOWN, VIOLATION, Culprit.NAT, note, by_rules=True),
            silent & opened,
        )
        admits = ruling.landing == "admit"
        if not shut:
            # To another machine: whatever becomes of it there, this host does not close what it hands on.
            verdict = VIOLATION if admits or ruling.away else UNPROVEN
            seen = OPEN if admits else UNKNOWN
            put(classes, Classification(CLOSED, seen, verdict, Culprit.NAT, note, by_rules=True), silent & ~opened)
            # Nobody refused what went on: silence may as well be a service that says nothing.
            away = ruling.ports & probed & ~opened & evidence.arrived & ~evidence.passed
            asked = evidence.replied | evidence.rst | evidence.strayed
            move(classes, away & asked, Classification(CLOSED, OPEN, VIOLATION, Culprit.NAT, note))
            silent_verdict = VIOLATION if ruling.away else UNPROVEN
            move(classes, away & ~asked, Classification(CLOSED, UNKNOWN, silent_verdict, Culprit.NAT, note))


def _classify_published(
    classes: PortClasses, closed: int, probed: int, protocol: str, evidence: StreamEvidence, known: StreamFacts
) -> None:
    """
    Judge ports that a container runtime leads to containers: what no row opens is closed where a probe shows it, and
    silence shows nothing of UDP. Ports of Services are judged by their list.
    """
    ports = (known.ingress.published if known.ingress else 0) & EVERY_PORT & closed & ~NODE_PORTS
    note = "the host leads it to a container, and nobody can tell what becomes of it there"
    unknown = Classification(CLOSED, UNKNOWN, UNPROVEN, Culprit.NAT, note, by_rules=True)
    put(classes, unknown, ports & ~probed)
    silent = ports & probed & evidence.arrived & ~evidence.passed & ~evidence.heard
    if protocol == "udp":
        move(classes, silent, replace(unknown, by_rules=False))


def _classify_unknown(classes: PortClasses, ports: int, opened: int, culprit: Culprit) -> None:
    """What no probe met and no rule tells is proven by nothing."""
    note = "nobody can tell what the rules do with it"
    for expected, share in ((OPEN, ports & opened), (CLOSED, ports & EVERY_PORT & ~opened)):
        put(classes, Classification(expected, UNKNOWN, UNPROVEN, culprit, note, by_rules=True), share)


def _name_rules(classes: PortClasses, known: StreamFacts) -> None:
    """Name the rule beside the firewalls that explains what is wrong; what it leads away is NAT's matter."""
    for ruled, culprit in ((known.ingress, Culprit.DESTINATION_FIREWALL), (known.egress, Culprit.SOURCE_EGRESS)):
        named = 0
        for ruling in ruled.rulings if ruled else ():
            rightly = Culprit.NAT if ruling.effect == "leads" else culprit
            # What never arrived, or crossed a border, may be that rule's doing as well.
            by_path = rightly is not Culprit.DESTINATION_FIREWALL
            mine = {culprit, Culprit.NAT, *((Culprit.PATH,) if by_path else ())}
            for told, held in list(classes.items()):
                ports = held & ruling.ports & ~named
                if ports and told.culprit in mine:
                    leads = f"the host leads it to {ruling.to}" if ruling.effect == "leads" else told.note
                    note = f"{leads}; {RULE}{ruling.rule.words}"
                    move(classes, ports, replace(told, culprit=rightly, note=note))
            named |= ruling.ports


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
    dropped &= ~evidence.doubt.stuck
    return dropped, probed & evidence.passed & known.ingress.refused
