"""What the perimeter device's own rules let through: from whom, to which address, and to which host behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any, Literal

from model import bits
from model.base import Address
from model.packets.nft_match import ALL, NftPacket
from model.packets.nft_ruleset import Chain, PerimeterDevice, parse
from model.packets.nft_walk import Walk
from model.site.rows import Interval

__all__ = ["Configured", "DeviceFlow", "PerimeterDevice", "configured", "destinations", "flow", "parse"]

Configured = Literal["open", "closed", "partly", "unknown"]


@dataclass(frozen=True, slots=True)
class DeviceFlow:
    """
    Ports by what the device does with a new packet to each, disjoint, together all of 0-65535.

    `targets` says which address takes those that are open; `local` are the open ones that end on the device itself.
    """

    open: int
    closed: int
    unknown: int
    targets: tuple[tuple[Address, int], ...]
    local: int = 0

    def word(self, interval: Interval) -> Configured:
        """Say in one word what becomes of an interval of ports; unknown as soon as one port is."""
        ports = bits.from_intervals([interval])
        if ports & self.unknown:
            return "unknown"
        if not ports & self.open:
            return "closed"
        return "partly" if ports & self.closed else "open"


@dataclass(frozen=True, slots=True)
class _PortGroup:
    """
    Ports of one flow that go the same way: to `address`, all to `port` or each to its own; `translated` once DNAT has
    spoken.
    """

    ports: int
    address: Address
    port: int | None = None
    local: bool = False
    translated: bool = False

    @property
    def current(self) -> int:
        return self.ports if self.port is None else 1 << self.port

    def original(self, current: int) -> int:
        """Return the ports as the sender wrote them."""
        return self.ports & current if self.port is None else self.ports * (current >> self.port & 1)


def configured(
    perimeter: PerimeterDevice, source: Address | None, destination: Address, protocol: str, interval: Interval
) -> Configured:
    """
    Say what the device does with new packets of `source` (None: anybody on the internet) to ports of a destination.

    "open" means through DNAT and the chains of forwarding, or of input where the device itself is meant.
    """
    return flow(perimeter, source, destination, protocol).word(interval)


def flow(perimeter: PerimeterDevice, source: Address | None, destination: Address, protocol: str) -> DeviceFlow:
    """Follow a new packet to every port of a destination through the device."""
    trip = _Trip(perimeter, source, destination, protocol)
    return trip.take()


def destinations(perimeter: PerimeterDevice, version: int) -> tuple[Address, ...]:
    """
    Return the single addresses that chains of translation name as a destination: what the device may lead elsewhere.
    """
    seen: dict[Address, None] = {}
    for chain in perimeter.rules.chains.values():
        if chain.kind in ("nat", ""):
            for rule in chain.rules:
                for statement in rule.statements:
                    seen |= dict.fromkeys(_destinations(statement.get("match")))
    return tuple(address for address in seen if address.version == version)


def _destinations(condition: Mapping[str, Any] | None) -> Iterator[Address]:
    left = condition["left"] if condition else None
    if not condition or not isinstance(left, dict) or left.get("payload", {}).get("field") != "daddr":
        return
    right = condition["right"]
    for address in right["set"] if isinstance(right, dict) and "set" in right else (right,):
        if isinstance(address, str) and not address.startswith("@"):
            yield ip_address(address)


class _Trip:
    def __init__(self, perimeter: PerimeterDevice, source: Address | None, destination: Address, protocol: str) -> None:
        self.perimeter = perimeter
        self.rules = perimeter.rules
        self.incoming = perimeter.interface(source or destination)
        self.packet = NftPacket(source, destination, destination, protocol, self.incoming)
        self.closed = self.unknown = 0

    def take(self) -> DeviceFlow:
        groups = [_PortGroup(ALL, self.packet.destination, local=self.packet.destination in self.perimeter.own)]
        for chain in self.rules.base("prerouting", self.packet.version):
            groups = [after for group in groups for after in self._through(chain, group)]
        passed = [after for group in groups for after in self._route(group)]
        if any(chain.hook in ("ingress", "egress") and chain.rules for chain in self.rules.chains.values()):
            # Chains of one interface stand before these; what they ask of a packet is not followed.
            self.unknown |= ALL & ~self.closed
        self.unknown &= ~self.closed
        decided = self.closed | self.unknown
        local = 0
        targets: dict[Address, int] = {}
        for group in passed:
            ports = group.ports & ~decided
            local |= ports if group.local else 0
            if ports:
                targets[group.address] = targets.get(group.address, 0) | ports
        return DeviceFlow(ALL & ~decided, self.closed, self.unknown, tuple(targets.items()), local)

    def _through(self, chain: Chain, group: _PortGroup) -> Iterator[_PortGroup]:
        """Send one group through one base chain; yield what comes out of it."""
        if chain.kind == "nat" and group.translated:
            yield group
            return
        outgoing = None if group.local or chain.hook == "prerouting" else self.perimeter.interface(group.address)
        packet = replace(self.packet, destination=group.address, interface_out=outgoing, local=group.local)
        walk = Walk(self.rules, packet)
        walk.base(chain, group.current)
        closed, unknown = group.original(walk.closed), group.original(walk.unknown)
        self.closed |= closed
        self.unknown |= unknown
        rest = group.ports & ~(closed | unknown)
        for translation in walk.translations:
            moved = group.original(translation.ports) & rest
            rest &= ~moved
            if moved:
                port = group.port if translation.port is None else translation.port
                address = translation.address or group.address
                yield _PortGroup(
                    moved, address, port, translation.address is None or address in self.perimeter.own, True
                )
        if rest:
            yield replace(group, ports=rest)

    def _route(self, group: _PortGroup) -> Iterator[_PortGroup]:
        if self.perimeter.routes and not group.local and self.perimeter.interface(group.address) is None:
            self.closed |= group.ports
            return
        hooks = ("input",) if group.local else ("forward", "postrouting")
        groups = [group]
        for hook in hooks:
            for chain in self.rules.base(hook, self.packet.version):
                if chain.kind == "filter":
                    groups = [after for current in groups for after in self._through(chain, current)]
        yield from groups
