"""The records of all sources and all witnesses joined into the evidence of each stream."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from model import bits
from model.site.site import Site
from model.verify.pairs import EVERY_PORT, PROTOCOLS, Pair
from model.verify.pods import is_pod, node_of
from model.verify.probing import AgentRecords, SeenStream, SentStream

StreamKey = tuple[str, str, str]  # source, address, protocol
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)
# What the kernel says where a route or a rule of routing is a `blackhole`.
_DISCARDED = errno.EINVAL


@dataclass(frozen=True, slots=True)
class Doubt:
    """
    Ports of a stream of which the measured loss may explain what was not seen.

    `lost` never arrived, `stuck` arrived and never passed, `unheard` gave no answer; `loss` says in words what was
    measured, and where.
    """

    lost: int = 0
    stuck: int = 0
    unheard: int = 0
    loss: str = ""


@dataclass(frozen=True, slots=True)
class StreamEvidence:
    """
    Evidence of one pair and protocol, as bitsets of probed ports.

    `refused` never left the source (EPERM), nor did `unroutable` (no route) and `discarded` (a route that is a
    blackhole); `unsent` says in words why others did not; `arrived` before, `passed` after the
    destination's INPUT, of that `once` one time and never again; `strayed` surfaced elsewhere; `translated` arrived
    under another source address, `masked` under one that is rightly put in its place. `nat` says in words what
    translation was seen; `answered` which host answered; `taken_by` other hosts that took packets for the address
    itself, where none came to its own; `doubt` what loss may explain.
    """

    sent: int = 0
    refused: int = 0
    unroutable: int = 0
    discarded: int = 0
    unsent: str = ""
    arrived: int = 0
    passed: int = 0
    once: int = 0
    synack: int = 0
    rst: int = 0
    data: int = 0
    icmp: Mapping[str, int] = field(default_factory=dict)
    strayed: int = 0
    translated: int = 0
    masked: int = 0
    nat: str = ""
    answered: str = ""
    taken_by: frozenset[str] = frozenset()
    doubt: Doubt = Doubt()

    @property
    def heard(self) -> int:
        """Ports of which anything came back, a refusal too."""
        heard = self.replied | self.rst
        for ports in self.icmp.values():
            heard |= ports
        return heard

    @property
    def replied(self) -> int:
        """Ports where a service spoke: only who got the probe can answer it."""
        return self.synack | self.data

    def beside(self, refused: int) -> StreamEvidence:
        """Return the evidence beside ports that the host's rules refuse: what passed them once came as an answer."""
        return replace(self, passed=self.passed & ~(self.once & refused), once=self.once & ~refused)


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """The evidence of every stream, and who is proven by whom: host -> the others that vouch for it."""

    streams: Mapping[StreamKey, StreamEvidence]
    sources: Mapping[str, frozenset[str]]
    witnesses: Mapping[str, frozenset[str]]

    def of(self, pair: Pair, protocol: str) -> StreamEvidence:
        """Return the evidence of one of a pair's streams."""
        return self.streams[pair.source, str(pair.address), protocol]

    def settled(self, pair: Pair) -> Pair:
        """Return the pair as it is to be classified: what may be open and was seen to be is declared open."""
        if not pair.may:
            return pair
        reached = {protocol: self._reached(pair, protocol) for protocol in PROTOCOLS}
        known = {part: bool(reached.get(part.protocol, 0) & bits.from_intervals([part.interval])) for part in pair.may}
        return replace(
            pair,
            openings=(*pair.openings, *(part for part in pair.may if known[part])),
            may=tuple(part for part in pair.may if not known[part]),
        )

    def _reached(self, pair: Pair, protocol: str) -> int:
        evidence = self.of(pair, protocol)
        return evidence.passed & (evidence.masked if pair.masks else EVERY_PORT)

    def source_proven(self, pair: Pair) -> bool:
        """True when a destination other than this one saw this source, or this one did on any port."""
        return bool(self.sources.get(pair.source))

    def witness_proven(self, pair: Pair) -> bool:
        """True when this destination saw a source other than this one."""
        return bool(self.witnesses.get(pair.destination, frozenset()) - {pair.source})


def join(site: Site, pairs: Iterable[Pair], records: AgentRecords) -> RunEvidence:
    """
    Lay every record beside the pair it speaks of.

    The controller's own connections, seen by a witness, count for that witness as one more source.
    """
    sent = {(source, row.address, row.protocol): row for source, rows in records.sent.items() for row in rows}
    seen: dict[StreamKey, list[tuple[str, SeenStream]]] = {}
    sources: dict[str, set[str]] = {}
    witnesses: dict[str, set[str]] = {}
    for witness, record in records.seen.items():
        for row in record.seen:
            seen.setdefault((row.source, row.address, row.protocol), []).append((witness, row))
            if row.arrived:
                sources.setdefault(row.source, set()).add(witness)
                witnesses.setdefault(witness, set()).add(row.source)
        if any(connect.arrived for connect in record.connects):
            witnesses.setdefault(witness, set()).add("controller")
    streams = {}
    for pair in pairs:
        for protocol in PROTOCOLS:
            key = (pair.source, str(pair.address), protocol)
            streams[key] = _evidence(site, pair, sent.get(key), seen.get(key, []))
    return RunEvidence(streams, _frozen(sources), _frozen(witnesses))


def _frozen(names: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(others) for name, others in names.items()}


def _evidence(site: Site, pair: Pair, sent: SentStream | None, seen: list[tuple[str, SeenStream]]) -> StreamEvidence:
    external = site.settings.external.get(pair.external)
    rightful = set(external.targets) if external else {pair.destination}
    arrived = passed = strayed = translated = masked = 0
    taken_by: set[str] = set()
    masks = set(map(str, pair.masks))
    translations: dict[str, None] = {}
    answered: dict[str, None] = {}
    for witness, row in seen:
        if witness not in rightful:
            # A node sees what its pods send to an address that may be its own one day: astray is what ends there.
            if ended := row.passed if is_pod(pair.source) and witness == node_of(pair.source) else row.arrived:
                strayed |= ended
                translations[f"arrived at {witness} as {row.destination_seen}"] = None
                if row.destination_seen == row.address and not external:
                    taken_by.add(witness)
            continue
        arrived |= row.arrived
        passed |= row.passed
        if row.passed and external:
            answered[witness] = None
        if row.source_seen in masks:
            masked |= row.arrived
        elif row.source_seen != str(pair.source_address):
            translated |= row.arrived
            translations[f"arrived from {row.source_seen} instead of {pair.source_address}"] = None
        # What a Service leads away is seen again, on its way to wherever that is.
        moving = row.arrived & ~pair.dnat_ports.get(row.protocol, 0)
        if not external and moving and (row.destination_seen != row.address or row.shift):
            translated |= moving
            moved = f", {row.shift:+d} ports on" if row.shift else ""
            translations[f"arrived at {row.destination_seen} instead of {row.address}{moved}"] = None
    return StreamEvidence(
        sent=sent.sent if sent else 0,
        refused=sent.refused if sent else 0,
        unroutable=_unroutable(sent) if sent else 0,
        discarded=sent.unroutable.get(_DISCARDED, 0) if sent else 0,
        unsent=_unsent(sent) if sent else "",
        arrived=arrived,
        passed=passed,
        synack=sent.synack if sent else 0,
        rst=sent.rst if sent else 0,
        data=sent.data if sent else 0,
        icmp=_by_sender(sent) if sent else {},
        strayed=strayed,
        translated=translated,
        masked=masked,
        nat="; ".join(translations),
        answered=", ".join(answered),
        # Who only hands packets on to where they belong takes nothing.
        taken_by=frozenset(taken_by if not arrived else ()),
    )


def _by_sender(sent: SentStream) -> dict[str, int]:
    """ICMP answers by type and sender, whatever their codes."""
    answers: dict[str, int] = {}
    for (kind, _code, sender), ports in sent.icmp.items():
        answers[f"{kind} {sender}"] = answers.get(f"{kind} {sender}", 0) | ports
    return answers


def _unsent(sent: SentStream) -> str:
    """Say what kept probes from being sent that is no answer of the routing table's."""
    others = sorted(set(sent.unroutable) - {*_NO_ROUTE, _DISCARDED})
    return ", ".join(os.strerror(error) for error in others)


def _unroutable(sent: SentStream) -> int:
    """Only what the routing table says is an answer; a probe that found queues full was merely not sent."""
    ports = 0
    for error in _NO_ROUTE:
        ports |= sent.unroutable.get(error, 0)
    return ports
