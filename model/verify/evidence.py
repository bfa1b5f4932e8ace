"""How do the accounts of all sources and all witnesses join into the evidence of each pair?"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model.site.site import Site
from model.verify.evidence_types import PairEvidence
from model.verify.pairs import PROTOCOLS, Pair
from model.verify.probing import SeenStream, SentStream, WitnessRecord

Key = tuple[str, str, str]  # source, address, protocol
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH)


@dataclass(frozen=True, slots=True)
class AgentRecords:
    """What every source sent and every witness saw, by host; a host without an agent has no entry."""

    sent: Mapping[str, tuple[SentStream, ...]]
    seen: Mapping[str, WitnessRecord]


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """Packets by (source, address, protocol), and who is proven by whom: host -> the others that vouch for it."""

    packets: Mapping[Key, PairEvidence]
    sources: Mapping[str, frozenset[str]]
    witnesses: Mapping[str, frozenset[str]]

    def source_proven(self, pair: Pair) -> bool:
        """True when a destination other than this one saw this source, or this one did on any port."""
        return bool(self.sources.get(pair.source))

    def witness_proven(self, pair: Pair) -> bool:
        """True when this destination saw a source other than this one."""
        return bool(self.witnesses.get(pair.destination, frozenset()) - {pair.source})


def join(site: Site, pairs: Iterable[Pair], accounts: AgentRecords) -> RunEvidence:
    """
    Lay every account beside the pair it speaks of.

    The controller's own connections, seen by a witness, count for that witness as one more source.
    """
    sent = {(source, row.address, row.protocol): row for source, rows in accounts.sent.items() for row in rows}
    seen: dict[Key, list[tuple[str, SeenStream]]] = {}
    sources: dict[str, set[str]] = {}
    witnesses: dict[str, set[str]] = {}
    for witness, account in accounts.seen.items():
        for row in account.seen:
            seen.setdefault((row.source, row.address, row.protocol), []).append((witness, row))
            if row.arrived:
                sources.setdefault(row.source, set()).add(witness)
                witnesses.setdefault(witness, set()).add(row.source)
        if any(connect.arrived for connect in account.connects):
            witnesses.setdefault(witness, set()).add("controller")
    packets = {}
    for pair in pairs:
        for protocol in PROTOCOLS:
            key = (pair.source, str(pair.address), protocol)
            packets[key] = _packets(site, pair, sent.get(key), seen.get(key, []))
    return RunEvidence(packets, _frozen(sources), _frozen(witnesses))


def _frozen(found: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(others) for name, others in found.items()}


def _packets(site: Site, pair: Pair, sent: SentStream | None, seen: list[tuple[str, SeenStream]]) -> PairEvidence:
    external = site.settings.external.get(pair.external)
    rightful = set(external.targets) if external else {pair.destination}
    arrived = passed = strayed = translated = masked = 0
    masks = set(map(str, pair.masks))
    stories: dict[str, None] = {}
    answered: dict[str, None] = {}
    for witness, row in seen:
        if witness not in rightful:
            strayed |= row.arrived
            stories[f"arrived at {witness} as {row.destination_seen}"] = None
            continue
        arrived |= row.arrived
        passed |= row.passed
        if row.passed and external:
            answered[witness] = None
        if row.source_seen in masks:
            masked |= row.arrived
        elif row.source_seen != str(pair.source_address):
            translated |= row.arrived
            stories[f"arrived from {row.source_seen} instead of {pair.source_address}"] = None
        # What a Service leads away is seen again, on its way to wherever that is.
        moving = row.arrived & ~pair.dnat_ports.get(row.protocol, 0)
        if not external and moving and (row.destination_seen != row.address or row.shift):
            translated |= moving
            moved = f", {row.shift:+d} ports on" if row.shift else ""
            stories[f"arrived at {row.destination_seen} instead of {row.address}{moved}"] = None
    return PairEvidence(
        sent=sent.sent if sent else 0,
        refused=sent.refused if sent else 0,
        unroutable=_unroutable(sent) if sent else 0,
        arrived=arrived,
        passed=passed,
        synack=sent.synack if sent else 0,
        rst=sent.rst if sent else 0,
        data=sent.data if sent else 0,
        icmp=_by_sender(sent) if sent else {},
        strayed=strayed,
        translated=translated,
        masked=masked,
        nat="; ".join(stories),
        answered=", ".join(answered),
    )


def _by_sender(sent: SentStream) -> dict[str, int]:
    """ICMP answers by type and sender, whatever their codes."""
    found: dict[str, int] = {}
    for (kind, _code, sender), ports in sent.icmp.items():
        found[f"{kind} {sender}"] = found.get(f"{kind} {sender}", 0) | ports
    return found


def _unroutable(sent: SentStream) -> int:
    """Only what the routing table says is an answer; a probe that found queues full was merely not sent."""
    ports = 0
    for error in _NO_ROUTE:
        ports |= sent.unroutable.get(error, 0)
    return ports


def missing(pairs: Iterable[Pair], joined: RunEvidence, again: int) -> dict[str, dict[tuple[str, str], int]]:
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
            packets = joined.packets[pair.source, str(pair.address), protocol]
            # What passed is told; so is, where the port must be closed, what arrived.
            told = packets.passed | packets.refused | packets.strayed | packets.unroutable
            # What is led to another address on the host never passes; a Service's UDP port gets no answer either.
            told |= packets.arrived & (packets.replied | pair.dnat_ports.get(protocol, 0))
            rest = pair.probed.get(protocol, 0) & ~told & ~(packets.arrived & ~pair.open(protocol))
            if pair.border and again > 1:
                rest &= pair.open(protocol)
            if _torn(pair, joined):
                rest |= packets.arrived & ~packets.masked & pair.probed.get(protocol, 0)
            if rest:
                wanted.setdefault(pair.source, {})[str(pair.address), protocol] = rest
    return wanted


def _torn(pair: Pair, joined: RunEvidence) -> bool:
    found = [joined.packets[pair.source, str(pair.address), protocol] for protocol in PROTOCOLS]
    return any(packets.masked for packets in found) and any(packets.arrived & ~packets.masked for packets in found)
