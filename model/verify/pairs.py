"""Who is probed by whom, at which address, on which ports, and what the matrix expects there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from model import bits
from model.base import Address
from model.matrix.matrix import Opening, boundary_ports, openings
from model.site.hosts import Machine
from model.site.rows import Row
from model.site.site import Site
from model.verify.evidence_types import PairEvidence
from model.verify.probing import Assignment, ProbeTarget

Depth = Literal["boundaries", "sweep", "full"]
EVERY_PORT = bits.from_intervals([(1, 65535)])
PROTOCOLS = ("tcp", "udp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """
    One source, one address: what is expected there and which ports are probed.

    `destination` is the host that must answer for the address (behind the perimeter, the first host its DNAT leads to);
    `border` says that a router stands between the two; `probed` holds a bitset a protocol, `dnat_ports` the ports that
    Services of the cluster may lead away before the destination's firewall. `masks` are addresses that the source may
    rightly be seen under, `may` what need not be open, yet is rightly so where it is.
    """

    source: str
    destination: str
    source_address: Address
    address: Address
    plane: str
    border: bool
    openings: tuple[Opening, ...]
    external: str = ""
    probed: Mapping[str, int] = field(default_factory=dict)
    dnat_ports: Mapping[str, int] = field(default_factory=dict)
    masks: tuple[Address, ...] = ()
    may: tuple[Opening, ...] = ()

    def open(self, protocol: str) -> int:
        """Return the ports that must be open, as a bitset."""
        return bits.from_intervals(each.interval for each in self.openings if each.protocol == protocol)

    def tolerated(self, protocol: str) -> int:
        """Return the ports that may be open, as a bitset."""
        return bits.from_intervals(each.interval for each in self.may if each.protocol == protocol)

    def judged(self, packets: Mapping[str, PairEvidence]) -> Pair:
        """
        Return the pair as it is to be judged once its packets, by protocol, were seen: what may be open and is, is
        declared open.
        """
        if not self.may:
            return self
        reached = {
            protocol: each.passed & (each.masked if self.masks else EVERY_PORT) for protocol, each in packets.items()
        }
        known = {each: bool(reached.get(each.protocol, 0) & bits.from_intervals([each.interval])) for each in self.may}
        return replace(
            self,
            openings=(*self.openings, *(each for each in self.may if known[each])),
            may=tuple(each for each in self.may if not known[each]),
        )


def pairs(site: Site, planes: Collection[str]) -> tuple[Pair, ...]:
    """
    Return every ordered pair of ends that packets can be sent between, once an address and IP family, without ports
    yet.
    """
    found: list[Pair] = []
    if "host" in planes:
        found += (
            pair for source in site.servers for target in site.servers for pair in _host_pairs(site, source, target)
        )
    if "external" in planes:
        found += (pair for vantage in site.vantages for pair in _inbound(site, vantage))
        found += (
            pair for source in site.servers for vantage in site.vantages for pair in _outbound(site, source, vantage)
        )
    return tuple(found)


def _host_pairs(site: Site, source: Machine, target: Machine) -> Iterator[Pair]:
    if source is target:
        return
    for network, address in target.every:
        speaks = source.speaks(address.version)
        if speaks is not None:
            border = network != source.network
            yield Pair(
                source=source.name,
                destination=target.name,
                source_address=speaks,
                address=address,
                plane="host",
                border=border,
                openings=openings(site, speaks, target, address),
            )


def endpoint_pairs(site: Site, holders: Mapping[Address, str]) -> Iterator[Pair]:
    """
    Yield the pairs of every server with the API's own addresses, each at the control plane that holds it just now.
    """
    port = site.settings.kubernetes.endpoint.port
    for address, holder in holders.items():
        target = site.by_name[holder]
        for source in site.servers:
            speaks = source.speaks(address.version)
            if source is not target and speaks is not None:
                opened = openings(site, speaks, target, address)
                border = source.network != target.network
                # Only the endpoint's own rows are about this address; its holder's rules open more of it, a border need
                # not.
                must = tuple(each for each in opened if not border or each.interval[0] <= port <= each.interval[1])
                may = tuple(each for each in opened if each not in must)
                yield Pair(
                    source=source.name,
                    destination=holder,
                    source_address=speaks,
                    address=address,
                    plane="host",
                    border=border,
                    openings=must,
                    may=may,
                )


def _inbound(site: Site, vantage: Machine) -> Iterator[Pair]:
    """From outside to every external address; the host behind it is the one that answers for it."""
    for name, external in site.settings.external.items():
        opened = _opened(row for row in site.active_rows if row.target == name and "internet" in row.source_ends)
        for address in external.addresses:
            speaks = vantage.speaks(address.version)
            if speaks is not None:
                yield Pair(
                    source=vantage.name,
                    destination=external.targets[0],
                    source_address=speaks,
                    address=address,
                    plane="external",
                    border=True,
                    openings=opened,
                    external=name,
                )


def _outbound(site: Site, source: Machine, vantage: Machine) -> Iterator[Pair]:
    """To the internet, which the vantage host stands for: open only where an active row says so."""
    opened = _opened(
        row
        for row in site.active_rows
        if row.plane == "external"
        and "internet" in row.destination_ends
        and any(source in site.machines_at(end) for end in row.source_ends)
    )
    for address in vantage.own:
        speaks = source.speaks(address.version)
        if speaks is not None:
            yield Pair(
                source=source.name,
                destination=vantage.name,
                source_address=speaks,
                address=address,
                plane="external",
                border=True,
                openings=opened,
            )


def _opened(rows: Iterable[Row]) -> tuple[Opening, ...]:
    """Cut what several rows open into disjoint stretches, each with all the rows that open it."""
    claims = [(row.protocol, interval, row.name) for row in rows for interval in row.intervals]
    found: list[Opening] = []
    for protocol in PROTOCOLS:
        mine = [(interval, name) for spoken, interval, name in claims if spoken == protocol]
        edges = sorted({edge for (low, high), _ in mine for edge in (low, high + 1)})
        for low, after in pairwise(edges):
            names = dict.fromkeys(name for interval, name in mine if interval[0] <= low <= interval[1])
            if names:
                found.append(Opening(protocol, (low, after - 1), tuple(names)))
    return tuple(found)


def with_ports(
    site: Site,
    chosen: Iterable[Pair],
    depth: Depth,
    listeners: Mapping[str, Mapping[str, int]],
    only: Mapping[str, int] | None = None,
) -> tuple[Pair, ...]:
    """
    Deal out the ports to probe.

    `listeners` holds, by host and protocol, the ports something listens on there, which are probed like those that
    Services take; `only` replaces the depth's choice. Sweep: every port of every address once, dealt round-robin over
    one source a role.
    """
    chosen = tuple(chosen)
    boundaries = bits.from_ports(boundary_ports(site))
    decks = _decks(site, chosen) if depth == "sweep" else {}
    dealt = []
    for pair in chosen:
        ports = {}
        for protocol in PROTOCOLS:
            if only is not None:
                wanted = only.get(protocol, 0)
            elif depth == "full":
                wanted = EVERY_PORT
            elif depth == "sweep":
                wanted = _share(decks[pair.address], pair.source)
            else:
                listening = listeners.get(pair.destination, {}).get(protocol, 0)
                wanted = boundaries | ((listening | pair.dnat_ports.get(protocol, 0)) & EVERY_PORT)
            ports[protocol] = wanted
        dealt.append(replace(pair, probed=ports))
    return tuple(dealt)


def _decks(site: Site, chosen: tuple[Pair, ...]) -> dict[Address, list[str]]:
    """By address: one source of each role that is probed from there."""
    decks: dict[Address, dict[str, str]] = {}
    for pair in chosen:
        role = site.by_name[pair.source].roles[0]
        decks.setdefault(pair.address, {}).setdefault(role, pair.source)
    return {address: list(deck.values()) for address, deck in decks.items()}


def _share(deck: list[str], source: str) -> int:
    if source not in deck:
        return 0
    return bits.from_ports(range(1 + deck.index(source), 65536, len(deck)))


def assignments(chosen: Iterable[Pair], requests: Mapping[str, Mapping[int, str]]) -> tuple[Assignment, ...]:
    """
    Turn pairs into what each source fires. `requests` holds, by destination, the harmless question for a UDP port where
    something listens.
    """
    targets: dict[str, list[ProbeTarget]] = {}
    speaks: dict[str, dict[str, None]] = {}
    for pair in chosen:
        tcp, udp = (pair.probed.get(protocol, 0) for protocol in PROTOCOLS)
        if tcp or udp:
            asked = requests.get(pair.destination, {})
            targets.setdefault(pair.source, []).append(
                ProbeTarget(pair.destination, str(pair.address), tcp, udp, asked)
            )
            speaks.setdefault(pair.source, {})[str(pair.source_address)] = None
    return tuple(Assignment(source, tuple(speaks[source]), tuple(found)) for source, found in targets.items())


def count(chosen: Iterable[Pair]) -> int:
    """Return how many probes the pairs mean, each sent once."""
    return sum(ports.bit_count() for pair in chosen for ports in pair.probed.values())


CONTROLS = 2


def controls(everything: Iterable[Pair], chosen: Iterable[Pair]) -> tuple[Pair, ...]:
    """
    Return pairs with one probe each that a narrowed run needs beside its own.

    What a border stops proves nothing of ends that nobody saw work. For every end of a chosen border pair there are up
    to `CONTROLS` other pairs whose probe arrives if both ends work. A run over everything needs none.
    """
    chosen = tuple(chosen)
    taken = {(pair.source, pair.address) for pair in chosen}
    others = [vouching(replace(pair, probed={})) for pair in everything if (pair.source, pair.address) not in taken]
    usable = [pair for pair in others if pair.probed]
    sources = {pair.source for pair in chosen if pair.border}
    destinations = {pair.destination for pair in chosen if pair.border}
    picked = [
        *(pair for name in sorted(sources) for pair in [each for each in usable if each.source == name][:CONTROLS]),
        *(
            pair
            for name in sorted(destinations)
            for pair in [each for each in usable if each.destination == name][:CONTROLS]
        ),
    ]
    return tuple({(pair.source, pair.address): pair for pair in picked}.values())


def vouching(pair: Pair) -> Pair:
    """
    Return the pair with one more port probed, on which a packet is seen at the destination if both ends work.

    Within one network that is any port, across a border an open one; without an open one the pair stays as it is.
    """
    protocol, port = "tcp", 1
    if pair.border:
        opened = [each for each in pair.openings if each.protocol in PROTOCOLS]
        if not opened:
            return pair
        protocol, port = opened[0].protocol, opened[0].interval[0]
    return replace(pair, probed={**pair.probed, protocol: pair.probed.get(protocol, 0) | (1 << port)})
