"""What each source must send once more, and what that brought."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from model.verify.evidence import RunEvidence, StreamEvidence
from model.verify.pairs import PROTOCOLS, Pair

_BY_CHANCE = 3

Wanted = Mapping[str, Mapping[tuple[str, str], int]]


def missing(pairs: Iterable[Pair], evidence: RunEvidence, again: int) -> dict[str, dict[tuple[str, str], int]]:
    """
    Return what each source must send once more, as ports by (address, protocol): every probe whose absence is not yet
    an answer.

    What a border should stop is sent again only in the first `again` round (1): two lost packets in a row are one in
    thousands. Where some packets showed the source's own address and others what may be put in its place, the former
    left before the source's network was whole, as that of pods on a node that just started, and say nothing of how it
    is now.
    """
    wanted: dict[str, dict[tuple[str, str], int]] = {}
    for pair in pairs:
        for protocol in PROTOCOLS:
            stream = evidence.of(pair, protocol)
            # What passed is answered; so is, where the port must be closed, what arrived.
            answered = stream.passed | stream.refused | stream.strayed | stream.unroutable | stream.discarded
            # What is led to another address on the host never passes; a Service's UDP port gets no answer either.
            answered |= stream.arrived & (stream.replied | pair.dnat_ports.get(protocol, 0))
            rest = pair.probed.get(protocol, 0) & ~answered & ~(stream.arrived & ~pair.open(protocol))
            if pair.border and again > 1:
                rest &= pair.open(protocol)
            if _torn(pair, evidence):
                rest |= stream.arrived & ~stream.masked & pair.probed.get(protocol, 0)
            if rest:
                wanted.setdefault(pair.source, {})[str(pair.address), protocol] = rest
    return wanted


def absent(pair: Pair, protocol: str, stream: StreamEvidence) -> int:
    """Return the ports of which nothing was seen anywhere, and nobody refused to send them."""
    unsent = stream.refused | stream.unroutable | stream.discarded
    known = unsent | stream.arrived | stream.passed | stream.strayed | stream.replied
    return pair.probed.get(protocol, 0) & ~known


def stuck(pair: Pair, protocol: str, stream: StreamEvidence) -> int:
    """Return the ports that must be open and whose probe arrived and did not pass."""
    explained = stream.passed | stream.replied | pair.dnat_ports.get(protocol, 0)
    return pair.probed.get(protocol, 0) & pair.open(protocol) & stream.arrived & ~explained


def unheard(pair: Pair, protocol: str, stream: StreamEvidence, owed: Callable[[Pair, str], int]) -> int:
    """Return the ports of which no answer came that would decide: of a service that is owed, of one led away."""
    mute = pair.probed.get(protocol, 0) & stream.arrived & ~stream.heard
    led = mute & ~stream.passed & pair.dnat_ports.get(protocol, 0) if protocol == "tcp" else 0
    passed = mute & stream.passed
    return led | passed & owed(pair, protocol) if passed else led


def undelivered(pairs: Iterable[Pair], evidence: RunEvidence) -> dict[str, dict[tuple[str, str], int]]:
    """Return what should have arrived and has not; what Services may take on the way is left out."""
    wanted: dict[str, dict[tuple[str, str], int]] = {}
    for pair in pairs:
        for protocol in PROTOCOLS:
            stopped = ~pair.open(protocol) if pair.border else 0
            ports = absent(pair, protocol, evidence.of(pair, protocol)) & ~stopped & ~pair.dnat_ports.get(protocol, 0)
            if ports:
                wanted.setdefault(pair.source, {})[str(pair.address), protocol] = ports
    return wanted


def together(*shares: Wanted) -> dict[str, dict[tuple[str, str], int]]:
    """Return all that several ask to be sent once more."""
    wanted: dict[str, dict[tuple[str, str], int]] = {}
    for share in shares:
        for source, streams in share.items():
            mine = wanted.setdefault(source, {})
            for stream, ports in streams.items():
                mine[stream] = mine.get(stream, 0) | ports
    return wanted


def silent(
    pairs: Iterable[Pair], evidence: RunEvidence, owed: Callable[[Pair, str], int]
) -> dict[str, dict[tuple[str, str], int]]:
    """
    Return what each source must ask once more after a while, as ports by (address, protocol): where a probe passed and
    a service that is `owed` there gave no answer, as one does that is just starting again. What may be open, and was
    seen to be, owes as much.
    """
    wanted: dict[str, dict[tuple[str, str], int]] = {}
    for pair in map(evidence.settled, pairs):
        for protocol in PROTOCOLS:
            stream = evidence.of(pair, protocol)
            rest = stream.passed & ~stream.replied & pair.probed.get(protocol, 0)
            if rest and (rest := rest & owed(pair, protocol)):
                wanted.setdefault(pair.source, {})[str(pair.address), protocol] = rest
    return wanted


def _torn(pair: Pair, evidence: RunEvidence) -> bool:
    streams = [evidence.of(pair, protocol) for protocol in PROTOCOLS]
    return any(stream.masked for stream in streams) and any(stream.arrived & ~stream.masked for stream in streams)


def doubtful(pairs: Iterable[Pair], evidence: RunEvidence) -> tuple[Pair, ...]:
    """
    Return the pairs of which probes surfaced where, or as what, nobody sent them, or passed a firewall that must stop
    them, with those ports alone.

    Among a hundred thousand packets and hundreds of streams a tag now and then reads as that of a foreign stream, and
    a probe's two ports as the answer to a connection that another end has with this one: what is not seen again under
    other tags, from another port, was that. More of one stream than a few is no chance.
    """
    found = []
    for pair in pairs:
        ports = {protocol: _doubtful(pair, protocol, evidence.of(pair, protocol)) for protocol in PROTOCOLS}
        if any(ports.values()):
            found.append(replace(pair, probed=ports))
    return tuple(found)


def _doubtful(pair: Pair, protocol: str, stream: StreamEvidence) -> int:
    kinds = (stream.strayed | stream.translated, _wrongly_passed(pair, protocol, stream))
    astray, passed = (ports if ports.bit_count() <= _BY_CHANCE else 0 for ports in kinds)
    return astray | passed


def _wrongly_passed(pair: Pair, protocol: str, stream: StreamEvidence) -> int:
    rightly = pair.open(protocol) | pair.tolerated(protocol) | pair.dnat_ports.get(protocol, 0)
    return stream.passed & pair.probed.get(protocol, 0) & ~rightly & ~stream.replied


def confirmed(pairs: Iterable[Pair], before: RunEvidence, again: RunEvidence) -> RunEvidence:
    """
    Return the evidence without what surfaced elsewhere before, was sent again since, and did not do so again; what
    passed before and was stopped since has passed `once`.
    """
    streams = dict(before.streams)
    for pair in pairs:
        for protocol in PROTOCOLS:
            first, second = before.of(pair, protocol), again.of(pair, protocol)
            chance = (first.strayed | first.translated) & second.sent & ~(second.strayed | second.translated)
            stopped = _wrongly_passed(pair, protocol, first) & second.arrived & ~second.passed & ~second.replied
            if chance or stopped:
                streams[pair.source, str(pair.address), protocol] = _without(first, second, chance, stopped)
    return replace(before, streams=streams)


def _without(first: StreamEvidence, second: StreamEvidence, chance: int, stopped: int) -> StreamEvidence:
    left = (first.strayed | first.translated) & ~chance
    return replace(
        first,
        arrived=first.arrived & ~chance | second.arrived & chance,
        passed=first.passed & ~chance | second.passed & chance,
        strayed=first.strayed & ~chance,
        translated=first.translated & ~chance,
        once=stopped & ~chance,
        nat=first.nat if left or not chance else second.nat,
        taken_by=first.taken_by if first.strayed & ~chance else frozenset(),
    )


def recovered(before: RunEvidence, after: RunEvidence) -> int:
    """Return how many probes only a later round brought to their witness."""
    return sum(
        (stream.arrived & ~before.streams[key].arrived).bit_count()
        for key, stream in after.streams.items()
        if stream.arrived != before.streams[key].arrived
    )
