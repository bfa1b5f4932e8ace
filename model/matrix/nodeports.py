"""Whom rules of the cluster would take past a node's firewall: who asks for Services' ports, and the node's pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from model.base import Address, Network
from model.matrix.matrix import HostRule, host_rules
from model.site.hosts import Machine
from model.site.rows import Interval
from model.site.site import Site

RANGE: Interval = (30000, 32767)
_PROTOCOLS = ("tcp", "udp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """
    Admit or refuse these sources, all of one family, to ports (inclusive) of one protocol.

    `destination` None: whatever address of the host. `rows` are those of the matrix that say so.
    """

    admit: bool
    sources: tuple[Network, ...]
    destination: Address | None
    protocol: str
    interval: Interval
    rows: tuple[str, ...]

    @property
    def version(self) -> int:
        """The IP version of its sources."""
        return self.sources[0].version


def gates(site: Site, machine: Machine, within: Interval = (1, 65535)) -> tuple[Gate, ...]:
    """
    Return what the port matrix says of a machine's ports within an interval, in the order in which it must be asked.

    What no gate admits is refused.
    """
    alike: dict[tuple[bool, int, Address | None, str, Interval], list[HostRule]] = {}
    for rule in host_rules(site, machine):
        low, high = max(rule.interval[0], within[0]), min(rule.interval[1], within[1])
        if rule.protocol in _PROTOCOLS and low <= high:
            key = (rule.action == "allow", rule.version, rule.destination, rule.protocol, (low, high))
            alike.setdefault(key, []).append(rule)
    # Refusals come first, as in the matrix; among admissions no order matters.
    return tuple(_gates(sorted(alike.items(), key=lambda item: item[0][0])))


def pod_gates(site: Site, machine: Machine) -> tuple[Gate, ...]:
    """
    Return what the port matrix says of packets that come to a machine from addresses of pods, in the order in which it
    must be asked.

    What no gate admits is refused.
    """
    alike: dict[tuple[bool, int, Address | None, str, Interval], list[HostRule]] = {}
    for rule in host_rules(site, machine):
        for source in _within(rule.source, site.settings.kubernetes.pod_cidrs):
            if rule.protocol in _PROTOCOLS:
                key = (rule.action == "allow", rule.version, rule.destination, rule.protocol, rule.interval)
                alike.setdefault(key, []).append(replace(rule, source=source))
    return tuple(_gates(sorted(alike.items(), key=lambda item: item[0][0])))


def _within(network: Network, wider: Iterable[Network]) -> Iterator[Network]:
    """Yield what a network has in common with others."""
    for other in wider:
        if other.version == network.version and other.overlaps(network):
            yield max(network, other, key=lambda each: each.prefixlen)


def _gates(alike: Iterable[tuple[tuple[bool, int, Address | None, str, Interval], list[HostRule]]]) -> Iterator[Gate]:
    for (admit, _, destination, protocol, interval), rules in alike:
        rows = tuple(dict.fromkeys(rule.row for rule in rules))
        yield Gate(
            admit=admit,
            sources=_disjoint(rule.source for rule in rules),
            destination=destination,
            protocol=protocol,
            interval=interval,
            rows=rows,
        )


def _disjoint(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Leave out what another one holds: nftables takes no overlapping elements."""
    kept: list[Network] = []
    for network in sorted(set(networks), key=lambda item: (item.prefixlen, int(item.network_address))):
        # The caller gives networks of one family, which their type does not say.
        if not any(network.subnet_of(wider) for wider in kept):  # type: ignore[arg-type]
            kept.append(network)
    return tuple(kept)
