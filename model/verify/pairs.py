"""Which ends can send packets to each other, at which address, and what the matrix expects there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from model import bits
from model.base import Address
from model.matrix.matrix import Opening, openings
from model.report.words import Plane
from model.site.hosts import Machine
from model.site.rows import Row
from model.site.site import Site

EVERY_PORT = bits.from_intervals([(1, 65535)])
PROTOCOLS = ("tcp", "udp")


class Speaker(Protocol):
    """A host or a pod: whatever has an address of its own in an IP version, or none."""

    def speaks(self, version: int, /) -> Address | None:
        """Return its address of an IP version."""


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
    plane: Plane
    border: bool
    openings: tuple[Opening, ...]
    external: str = ""
    probed: Mapping[str, int] = field(default_factory=dict)
    dnat_ports: Mapping[str, int] = field(default_factory=dict)
    masks: tuple[Address, ...] = ()
    may: tuple[Opening, ...] = ()

    def open(self, protocol: str) -> int:
        """Return the ports that must be open, as a bitset."""
        return bits.from_intervals(opening.interval for opening in self.openings if opening.protocol == protocol)

    def tolerated(self, protocol: str) -> int:
        """Return the ports that may be open, as a bitset."""
        return bits.from_intervals(opening.interval for opening in self.may if opening.protocol == protocol)


def pairs(site: Site, planes: Collection[str]) -> tuple[Pair, ...]:
    """
    Return every ordered pair of ends that packets can be sent between, once an address and IP family, without ports
    yet.
    """
    chosen: list[Pair] = []
    if Plane.HOST in planes:
        chosen += (
            pair for source in site.servers for target in site.servers for pair in _host_pairs(site, source, target)
        )
    if Plane.EXTERNAL in planes:
        chosen += (pair for vantage in site.vantages for pair in _inbound(site, vantage))
        chosen += (
            pair for source in site.servers for vantage in site.vantages for pair in _outbound(site, source, vantage)
        )
    return tuple(chosen)


def speakable(source: Speaker, addresses: Iterable[Address]) -> Iterator[tuple[Address, Address]]:
    """Yield the source's own address and the one it speaks to, for each address of an IP version that it has."""
    for address in addresses:
        speaks = source.speaks(address.version)
        if speaks is not None:
            yield speaks, address


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
                plane=Plane.HOST,
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
                must = tuple(part for part in opened if not border or part.interval[0] <= port <= part.interval[1])
                may = tuple(part for part in opened if part not in must)
                yield Pair(
                    source=source.name,
                    destination=holder,
                    source_address=speaks,
                    address=address,
                    plane=Plane.HOST,
                    border=border,
                    openings=must,
                    may=may,
                )


def _inbound(site: Site, vantage: Machine) -> Iterator[Pair]:
    """
    From outside to every external address; the host behind it is the one that answers for it.

    Its own rules cannot tell by which of several external addresses a packet came; the perimeter's can.
    """
    plans = site.settings.external
    published = [row for row in site.active_rows if row.target in plans and "internet" in row.source_ends]
    for name, external in plans.items():
        opened = opened_by(row for row in published if row.target == name)
        alike = {other for other, plan in plans.items() if plan.targets[0] == external.targets[0]} - {name}
        may = opened_by(row for row in published if row.target in alike)
        for speaks, address in speakable(vantage, external.addresses):
            yield Pair(
                source=vantage.name,
                destination=external.targets[0],
                source_address=speaks,
                address=address,
                plane=Plane.EXTERNAL,
                border=True,
                openings=opened,
                external=name,
                may=may,
            )


def _outbound(site: Site, source: Machine, vantage: Machine) -> Iterator[Pair]:
    """To the internet, which the vantage host stands for: open only where an active row says so."""
    opened = opened_by(
        row
        for row in site.active_rows
        if row.plane == "external"
        and "internet" in row.destination_ends
        and any(source in site.machines_at(end) for end in row.source_ends)
    )
    for speaks, address in speakable(source, vantage.own):
        yield Pair(
            source=source.name,
            destination=vantage.name,
            source_address=speaks,
            address=address,
            plane=Plane.EXTERNAL,
            border=True,
            openings=opened,
        )


def opened_by(rows: Iterable[Row]) -> tuple[Opening, ...]:
    """Cut what several rows open into disjoint stretches, each with all the rows that open it."""
    claims = [(row.protocol, interval, row.name) for row in rows for interval in row.intervals]
    opened: list[Opening] = []
    for protocol in PROTOCOLS:
        mine = [(interval, name) for spoken, interval, name in claims if spoken == protocol]
        edges = sorted({edge for (low, high), _ in mine for edge in (low, high + 1)})
        for low, after in pairwise(edges):
            names = dict.fromkeys(name for interval, name in mine if interval[0] <= low <= interval[1])
            if names:
                opened.append(Opening(protocol, (low, after - 1), tuple(names)))
    return tuple(opened)
