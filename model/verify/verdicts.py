"""What four points of evidence, and the kernel's rules beside them, say of every port of one stream.

Pure set arithmetic: ports are bitsets (`model.bits`), a class is a set of ports under one classification.
"""

from __future__ import annotations

from model import bits
from model.host.hostview import is_named
from model.report.words import CellVerdict, Culprit, Plane, PortState
from model.verify.address_faults import classify_misplaced
from model.verify.classes import Classification, PortClasses, move, put
from model.verify.evidence import Doubt, StreamEvidence
from model.verify.facts import StreamFacts
from model.verify.intercepts import classify_at_destination, classify_at_source, led_away, rests_on_silence
from model.verify.pairs import EVERY_PORT, Pair
from model.verify.pods import is_component, is_pod
from model.verify.rule_verdicts import classify_by_rules

OPEN, CLOSED, UNKNOWN = PortState.OPEN, PortState.CLOSED, PortState.UNKNOWN
OK, VIOLATION, UNPROVEN = CellVerdict.OK, CellVerdict.VIOLATION, CellVerdict.UNPROVEN
# What notes say of loss; their next step is about the path.
LOSSY = "packets are lost here"
# What notes say of a source that cannot route; their next step is about routes.
NO_ROUTE = "the source has no route there"
BLACKHOLE = "the source's own route there discards it (blackhole)"


def classify(pair: Pair, protocol: str, evidence: StreamEvidence, known: StreamFacts) -> PortClasses:
    """
    Return disjoint sets of ports by classification.

    Together they cover every probed port and every port on which the rules contradict the matrix.
    """
    opened = pair.open(protocol)
    blind = _blind(opened, known)
    if blind is not None:
        return blind
    probed = pair.probed.get(protocol, 0)
    classes: PortClasses = {}
    dnat_ports = led_away(pair, evidence, known)
    source_dnat = bits.from_ports(known.source_dnat) & probed & evidence.sent & ~evidence.arrived
    _classify_open(classes, pair, opened & probed & ~dnat_ports & ~source_dnat, evidence, known)
    _classify_closed(
        classes, pair, probed & ~opened & ~source_dnat & ~(0 if pair.border else dnat_ports), evidence, known
    )
    for port in bits.to_ports(source_dnat):
        put(classes, classify_at_source(known.source_dnat[port], OPEN if opened & 1 << port else CLOSED), 1 << port)
    for port in bits.to_ports(dnat_ports & probed & (EVERY_PORT if not pair.border else opened)):
        expected = OPEN if opened & 1 << port else CLOSED
        judged = classify_at_destination(known.intercepts[port], expected, protocol, evidence, port)
        if evidence.doubt.unheard & 1 << port and rests_on_silence(known.intercepts[port], expected):
            note = f"{judged.note}; {_explained(evidence.doubt)}"
            judged = Classification(expected, UNKNOWN, UNPROVEN, Culprit.LISTENER, note)
        put(classes, judged, 1 << port)
    _classify_services(classes, evidence, known)
    classify_misplaced(classes, evidence, known.fault)
    classify_by_rules(classes, pair, protocol, evidence, known)
    return {classification: ports for classification, ports in classes.items() if ports}


def _blind(opened: int, known: StreamFacts) -> PortClasses | None:
    """Nothing is proven of any port where one end has no agent."""
    if known.source_alive and known.witness_alive:
        return None
    culprit, note = (
        (Culprit.SOURCE, "nothing could be sent from here")
        if not known.source_alive
        else (Culprit.WITNESS, "nobody looked here")
    )
    return {
        Classification(expected, UNKNOWN, UNPROVEN, culprit, note): ports
        for expected, ports in ((OPEN, opened), (CLOSED, EVERY_PORT & ~opened))
        if ports
    }


def _classify_open(classes: PortClasses, pair: Pair, ports: int, evidence: StreamEvidence, known: StreamFacts) -> None:
    rest = _Rest(classes, OPEN, ports)
    if pair.plane != Plane.EXTERNAL:
        # The firewall judged another source than the matrix speaks of.
        rest.take(evidence.passed & evidence.translated, OPEN, VIOLATION, Culprit.NAT, evidence.nat)
        rest.take(evidence.arrived & evidence.translated, CLOSED, VIOLATION, Culprit.NAT, evidence.nat)
    rest.take(evidence.passed, OPEN, OK)
    rest.take(
        evidence.arrived & evidence.replied,
        OPEN,
        OK,
        Culprit.NONE,
        "a service answered, behind a translation of the host's own",
    )
    rest.take(
        evidence.replied, OPEN, VIOLATION, Culprit.NAT, evidence.nat or "somebody else answered in the host's place"
    )
    refused = evidence.refused & ~evidence.arrived
    rest.take(refused, CLOSED, VIOLATION, Culprit.SOURCE_EGRESS, "the source's own firewall refuses to send")
    doubt = evidence.doubt
    rest.take(evidence.arrived & doubt.stuck, UNKNOWN, UNPROVEN, Culprit.DESTINATION_FIREWALL, _explained(doubt))
    rest.take(
        evidence.arrived, CLOSED, VIOLATION, Culprit.DESTINATION_FIREWALL, "arrived, and the host's firewall dropped it"
    )
    rest.take(evidence.strayed, CLOSED, VIOLATION, Culprit.NAT, evidence.nat)
    rest.take(evidence.unroutable, CLOSED, VIOLATION, Culprit.SOURCE_EGRESS, NO_ROUTE)
    rest.take(evidence.discarded, CLOSED, VIOLATION, Culprit.SOURCE_EGRESS, BLACKHOLE)
    rest.take(~evidence.sent, UNKNOWN, UNPROVEN, Culprit.SOURCE, _never_sent(evidence))
    unproven = _unproven_end(pair, evidence, known)
    if unproven:
        rest.take(EVERY_PORT, UNKNOWN, UNPROVEN, unproven, "nothing else shows that this end works")
    rest.take(doubt.lost, UNKNOWN, UNPROVEN, Culprit.PATH, _explained(doubt))
    rest.take(EVERY_PORT, CLOSED, VIOLATION, Culprit.PATH, "left the source, never arrived; both ends work")


def _classify_closed(
    classes: PortClasses, pair: Pair, ports: int, evidence: StreamEvidence, known: StreamFacts
) -> None:
    rest = _Rest(classes, CLOSED, ports)
    if pair.plane != Plane.EXTERNAL:
        rest.take(evidence.passed & evidence.translated, OPEN, VIOLATION, Culprit.NAT, evidence.nat)
    # Behind a border the packet should not even arrive: the border let it through, whatever the host then does.
    culprit = Culprit.PATH if pair.border else Culprit.DESTINATION_FIREWALL
    unheld = is_pod(pair.destination) or is_component(pair.source)
    note = "no network policy stops it" if unheld else "passed the host's firewall"
    rest.take(evidence.passed, OPEN, VIOLATION, culprit, note)
    rest.take(
        evidence.replied, OPEN, VIOLATION, Culprit.NAT, evidence.nat or "a service answered, past the host's INPUT"
    )
    if pair.border:
        crossed = "no network policy stops it" if unheld else "crossed the border"
        rest.take(evidence.arrived, CLOSED, VIOLATION, Culprit.PATH, f"{crossed}; only the host dropped it")
    rest.take(evidence.arrived, CLOSED, OK)
    rest.take(evidence.strayed, OPEN, VIOLATION, Culprit.NAT, evidence.nat)
    rest.take(evidence.refused, CLOSED, OK, Culprit.NONE, "the source's own firewall refuses to send")
    rest.take(evidence.unroutable, CLOSED, OK, Culprit.NONE, NO_ROUTE)
    rest.take(evidence.discarded, CLOSED, OK, Culprit.NONE, BLACKHOLE)
    rest.take(~evidence.sent, UNKNOWN, UNPROVEN, Culprit.SOURCE, _never_sent(evidence))
    unproven = _unproven_end(pair, evidence, known)
    if not unproven:
        rest.take(evidence.doubt.lost, UNKNOWN, UNPROVEN, Culprit.PATH, _explained(evidence.doubt))
    if pair.border and not unproven:
        rest.take(EVERY_PORT, CLOSED, OK, Culprit.NONE, "stopped at the border")
    rest.take(EVERY_PORT, UNKNOWN, UNPROVEN, unproven or Culprit.PATH, "a probe that got lost proves nothing")


def _never_sent(evidence: StreamEvidence) -> str:
    return f"was never sent: {evidence.unsent}" if evidence.unsent else "was never sent"


class _Rest:
    """Ports not yet told of: whatever is taken goes to the first classification that claims it."""

    def __init__(self, classes: PortClasses, expected: PortState, ports: int) -> None:
        self.classes = classes
        self.expected = expected
        self.ports = ports

    def take(
        self, ports: int, seen: PortState, verdict: CellVerdict, culprit: Culprit = Culprit.NONE, note: str = ""
    ) -> None:
        """Tell this classification of those of the ports that are left."""
        put(self.classes, Classification(self.expected, seen, verdict, culprit, note), self.ports & ports)
        self.ports &= ~ports


def _explained(doubt: Doubt) -> str:
    """Say that loss may be the cause, and what was measured."""
    return f"{LOSSY}, which may be why; {doubt.loss}"


def _unproven_end(pair: Pair, evidence: StreamEvidence, known: StreamFacts) -> Culprit:
    """Name the end of the pair that nothing has proven to work; empty when both are."""
    if evidence.arrived and not pair.border:
        return Culprit.NONE
    if not known.source_proven:
        return Culprit.SOURCE
    return Culprit.NONE if known.witness_proven else Culprit.WITNESS


def _classify_services(classes: PortClasses, evidence: StreamEvidence, known: StreamFacts) -> None:
    """Where a port is open, whatever listens must be what the matrix names, and what is owed must answer."""
    good = 0
    for classification, ports in classes.items():
        good |= ports if (classification.expected, classification.verdict) == (OPEN, OK) else 0
    silent = good & known.owed & ~evidence.replied
    mute = silent & evidence.doubt.unheard
    note = f"the declared service gave no answer that arrived; {_explained(evidence.doubt)}"
    move(classes, mute, Classification(OPEN, OPEN, UNPROVEN, Culprit.LISTENER, note))
    silent &= ~mute
    move(
        classes, silent, Classification(OPEN, OPEN, VIOLATION, Culprit.LISTENER, "the declared service does not answer")
    )
    for port, owner in known.owners.items():
        allowed = known.declared_owners.get(port)
        if allowed and not is_named(owner, allowed) and good & (1 << port):
            note = f"{owner} listens; the matrix names {' or '.join(sorted(allowed))}"
            move(classes, 1 << port, Classification(OPEN, OPEN, VIOLATION, Culprit.WRONG_PROCESS, note))
