"""What do four points of evidence, and the kernel's rules beside them, say about every port of one pair?

Pure set arithmetic: ports are bitsets (`model.bits`), a verdict is a set of ports under one story.
"""

from __future__ import annotations

from model import bits
from model.host.hostview import is_named
from model.verify.evidence_types import Classification, PairEvidence, PairFacts, PortClasses
from model.verify.intercepts import offered, taken_at_source
from model.verify.pairs import EVERY_PORT, Pair
from model.verify.pods import is_pod


def judge(pair: Pair, protocol: str, packets: PairEvidence, known: PairFacts) -> PortClasses:
    """
    Return disjoint sets of ports by story; together they cover every probed port and every port on which the rules
    contradict the matrix.
    """
    opened = pair.open(protocol)
    blind = _blind(opened, known)
    if blind is not None:
        return blind
    probed = pair.probed.get(protocol, 0)
    stories: PortClasses = {}
    dnat_ports = _led(pair, packets, known)
    source_dnat = bits.from_ports(known.source_dnat) & probed & packets.sent & ~packets.arrived
    _judge_open(stories, pair, opened & probed & ~dnat_ports & ~source_dnat, packets, known)
    _judge_closed(stories, pair, probed & ~opened & ~source_dnat & ~(0 if pair.border else dnat_ports), packets, known)
    for port in bits.to_ports(source_dnat):
        _put(stories, taken_at_source(known.source_dnat[port], "open" if opened & 1 << port else "closed"), 1 << port)
    for port in bits.to_ports(dnat_ports & probed & (EVERY_PORT if not pair.border else opened)):
        expected = "open" if opened & 1 << port else "closed"
        _put(stories, offered(known.intercepts[port], expected, protocol, packets, port), 1 << port)
    _judge_services(stories, packets, known)
    _judge_rules(stories, pair, protocol, packets, known)
    return {story: ports for story, ports in stories.items() if ports}


def _blind(opened: int, known: PairFacts) -> PortClasses | None:
    """Nothing is proven of any port where one end has no agent."""
    if known.source_alive and known.witness_alive:
        return None
    culprit, note = (
        ("source", "nothing could be sent from here") if not known.source_alive else ("witness", "nobody looked here")
    )
    return {
        Classification(expected, "unknown", "unproven", culprit, note): ports
        for expected, ports in (("open", opened), ("closed", EVERY_PORT & ~opened))
        if ports
    }


def _judge_open(stories: PortClasses, pair: Pair, ports: int, packets: PairEvidence, known: PairFacts) -> None:
    rest = _Rest(stories, "open", ports)
    if pair.plane != "external":
        # The firewall judged another source than the matrix speaks of.
        rest.take(packets.passed & packets.translated, "open", "violation", "nat", packets.nat)
        rest.take(packets.arrived & packets.translated, "closed", "violation", "nat", packets.nat)
    rest.take(packets.passed, "open", "ok")
    rest.take(
        packets.arrived & packets.replied,
        "open",
        "ok",
        "",
        "a service answered, behind a translation of the host's own",
    )
    rest.take(packets.replied, "open", "violation", "nat", packets.nat or "somebody else answered in the host's place")
    refused = packets.refused & ~packets.arrived
    rest.take(refused, "closed", "violation", "source-egress", "the source's own firewall refuses to send")
    rest.take(
        packets.arrived, "closed", "violation", "destination-firewall", "arrived, and the host's firewall dropped it"
    )
    rest.take(packets.strayed, "closed", "violation", "nat", packets.nat)
    rest.take(packets.unroutable, "closed", "violation", "source-egress", "the source has no route there")
    rest.take(~packets.sent, "unknown", "unproven", "source", "was never sent")
    doubt = _doubt(pair, packets, known)
    if doubt:
        rest.take(EVERY_PORT, "unknown", "unproven", doubt, "nothing else shows that this end works")
    rest.take(EVERY_PORT, "closed", "violation", "path", "left the source, never arrived; both ends work")


def _judge_closed(stories: PortClasses, pair: Pair, ports: int, packets: PairEvidence, known: PairFacts) -> None:
    rest = _Rest(stories, "closed", ports)
    if pair.plane != "external":
        rest.take(packets.passed & packets.translated, "open", "violation", "nat", packets.nat)
    # Behind a border the packet should not even arrive: the border let it through, whatever the host then does.
    culprit = "path" if pair.border else "destination-firewall"
    note = "no network policy stops it" if is_pod(pair.destination) else "passed the host's firewall"
    rest.take(packets.passed, "open", "violation", culprit, note)
    rest.take(packets.replied, "open", "violation", "nat", packets.nat or "a service answered, past the host's INPUT")
    if pair.border:
        rest.take(packets.arrived, "closed", "violation", "path", "crossed the border; only the host dropped it")
    rest.take(packets.arrived, "closed", "ok")
    rest.take(packets.strayed, "open", "violation", "nat", packets.nat)
    rest.take(packets.refused, "closed", "ok", "", "the source's own firewall refuses to send")
    rest.take(packets.unroutable, "closed", "ok", "", "the source has no route there")
    rest.take(~packets.sent, "unknown", "unproven", "source", "was never sent")
    doubt = _doubt(pair, packets, known)
    if pair.border and not doubt:
        rest.take(EVERY_PORT, "closed", "ok", "", "stopped at the border")
    rest.take(EVERY_PORT, "unknown", "unproven", doubt or "path", "a probe that got lost proves nothing")


class _Rest:
    """Ports not yet told of: whatever is taken goes to the first story that claims it."""

    def __init__(self, stories: PortClasses, expected: str, ports: int) -> None:
        self.stories = stories
        self.expected = expected
        self.ports = ports

    def take(self, ports: int, seen: str, verdict: str, culprit: str = "", note: str = "") -> None:
        """Tell this story of those of the ports that are left."""
        _put(self.stories, Classification(self.expected, seen, verdict, culprit, note), self.ports & ports)
        self.ports &= ~ports


def _doubt(pair: Pair, packets: PairEvidence, known: PairFacts) -> str:
    """Name the end of the pair that nothing has proven to work; empty when both are."""
    if packets.arrived and not pair.border:
        return ""
    if not known.source_proven:
        return "source"
    return "" if known.witness_proven else "witness"


def _judge_services(stories: PortClasses, packets: PairEvidence, known: PairFacts) -> None:
    """Where a port is open, whatever listens must be what the matrix names, and what is owed must answer."""
    good = 0
    for story, ports in stories.items():
        good |= ports if (story.expected, story.verdict) == ("open", "ok") else 0
    silent = good & known.owed & ~packets.replied
    _take(
        stories, silent, Classification("open", "open", "violation", "listener", "the declared service does not answer")
    )
    for port, owner in known.owners.items():
        allowed = known.declared_owners.get(port)
        if allowed and not is_named(owner, allowed) and good & (1 << port):
            note = f"{owner} listens; the matrix names {' or '.join(sorted(allowed))}"
            _take(stories, 1 << port, Classification("open", "open", "violation", "wrong-process", note))


def _judge_rules(stories: PortClasses, pair: Pair, protocol: str, packets: PairEvidence, known: PairFacts) -> None:
    """The matrix against the kernel's rules: finds what no probe met."""
    opened, probed, tolerated = pair.open(protocol), pair.probed.get(protocol, 0), pair.tolerated(protocol)
    hidden = probed & ~packets.arrived & ~packets.passed if pair.border else 0
    if known.ingress is not None:
        holes = known.ingress.admitted & EVERY_PORT & ~opened & ~tolerated
        note = "the host's rules admit what no row opens"
        _take(
            stories,
            holes & hidden,
            Classification(
                "closed", "closed", "violation", "destination-firewall", f"{note}; only the border stops it"
            ),
        )
        seen = "unknown" if pair.border else "open"
        _put(
            stories,
            Classification("closed", seen, "violation", "destination-firewall", note, by_rules=True),
            holes & ~probed,
        )
        shut = known.ingress.refused & opened & ~probed
        note = "the host's rules refuse what a row opens"
        _put(stories, Classification("open", "closed", "violation", "destination-firewall", note, by_rules=True), shut)
        opened &= ~shut
    if known.egress is not None:
        stopped = known.egress.refused & opened & ~probed
        note = "the source's rules refuse what a row opens"
        _put(stories, Classification("open", "closed", "violation", "source-egress", note, by_rules=True), stopped)


def contradictions(pair: Pair, protocol: str, packets: PairEvidence, known: PairFacts) -> tuple[int, int]:
    """
    Return the probed ports on which packets and the destination's rules disagree.

    First those the rules admit and packets were dropped on, then those the rules refuse and packets passed.
    """
    if known.ingress is None or not (known.source_alive and known.witness_alive):
        return 0, 0
    probed = pair.probed.get(protocol, 0)
    dnat_ports = _led(pair, packets, known)
    dropped = probed & packets.arrived & ~packets.passed & ~packets.replied & ~dnat_ports & known.ingress.admitted
    return dropped, probed & packets.passed & known.ingress.refused


def _led(pair: Pair, packets: PairEvidence, known: PairFacts) -> int:
    """Ports that a Service took: it is there, the packet arrived, and nothing of it came to the firewall."""
    translated = packets.translated if pair.plane != "external" else 0
    return bits.from_ports(known.intercepts) & packets.arrived & ~packets.passed & ~translated


def _put(stories: PortClasses, story: Classification, ports: int) -> None:
    if ports:
        stories[story] = stories.get(story, 0) | ports


def _take(stories: PortClasses, ports: int, story: Classification) -> None:
    """Move ports from whatever story they are in to another."""
    if not ports:
        return
    moved = 0
    for other, held in list(stories.items()):
        moved |= held & ports
        stories[other] = held & ~ports
    _put(stories, story, moved)
