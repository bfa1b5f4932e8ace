"""What the port matrix means for one host's firewall, and for one pair of ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network
from itertools import pairwise

from model.base import Address, Network
from model.site.hosts import Machine
from model.site.rows import Interval, Row
from model.site.site import Site

# Ends that stand for networks too wide to leave out an isolated one by themselves.
BROAD = frozenset({"internet", "clients", "admins"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRule:
    """
    One rule of a host's INPUT: admit (or, before all admitting ones, refuse) new packets from `source`.

    `destination` is one of the host's own addresses, or None for any; `interval` is inclusive, (0, 0) for vrrp;
    `row` is the matrix row it comes from.
    """

    action: str
    source: Network
    destination: Address | None
    protocol: str
    interval: Interval
    row: str

    @property
    def version(self) -> int:
        """The IP version it belongs to."""
        return self.source.version


@lru_cache(maxsize=4096)
def host_rules(site: Site, machine: Machine) -> tuple[HostRule, ...]:
    """
    Return the rules of one server: refusals first, then admissions, in the order of the matrix; no rule twice.

    A host in several networks admits a flow only at its addresses in the network of its roles; management flows at
    every address.
    """
    admitted = dict.fromkeys(_admitted(site, machine))
    refused = dict.fromkeys(rule for rule in _refused(site, machine, tuple(admitted)))
    return (*refused, *admitted)


def rows_to(site: Site, machine: Machine) -> tuple[Row, ...]:
    """Return the active rows that open something on the machine itself."""
    return tuple(row for row in site.active_rows if not row.builtin and _lands_on(site, row, machine))


def _lands_on(site: Site, row: Row, machine: Machine) -> bool:
    if row.plane == "external":
        return row.target is not None and machine in site.targets(row)
    return any(machine in site.machines_at(end) for end in row.destination_ends)


def _admitted(site: Site, machine: Machine) -> Iterator[HostRule]:
    for row in rows_to(site, machine):
        for end in row.source_ends:
            for source in _sources(site, end, machine):
                for destination in _destinations(site, machine, end, source.version):
                    for interval in row.intervals or ((0, 0),):
                        yield HostRule(
                            action="allow",
                            source=source,
                            destination=destination,
                            protocol=row.protocol,
                            interval=interval,
                            row=row.name,
                        )


def _sources(site: Site, end: str, machine: Machine) -> tuple[Network, ...]:
    """
    Addresses of the hosts at that end, save the machine's own (loopback never meets these rules), or its networks.
    """
    # A pod speaks to other nodes with its own node's address wherever the pod network hides pods behind it.
    named = site.nodes if end == "pods" else site.machines_at(end)
    hosts = [other for other in named if other.name != machine.name]
    return (*site.networks_at(end), *(_alone(address) for other in hosts for address in other.own))


@lru_cache(maxsize=4096)
def _alone(address: Address) -> Network:
    return ip_network(address)


def _destinations(site: Site, machine: Machine, end: str, version: int) -> tuple[Address | None, ...]:
    if end == "management" or len(machine.addresses) == 1:
        return (None,)
    own = (*machine.own, *site.endpoint_addresses(machine))
    return tuple(address for address in own if address.version == version)


def _refused(site: Site, machine: Machine, admitted: tuple[HostRule, ...]) -> Iterator[HostRule]:
    """An isolated network is never meant by a broad word: what such a word admits is refused to it first."""
    if site.isolated(machine):
        return
    broad = {row.name for row in site.active_rows if BROAD & set(row.source_ends)}
    for rule in admitted:
        if rule.row not in broad:
            continue
        for network in site.isolated_networks:
            # mypy cannot see that both are of one family behind the comparison.
            if network.version == rule.version and network.subnet_of(rule.source):  # type: ignore[arg-type]
                yield HostRule(
                    action="deny",
                    source=network,
                    destination=rule.destination,
                    protocol=rule.protocol,
                    interval=rule.interval,
                    row=rule.row,
                )


@dataclass(frozen=True, slots=True)
class Opening:
    """Ports one source may reach at one address, and the rows that say so."""

    protocol: str
    interval: Interval
    rows: tuple[str, ...]


@lru_cache(maxsize=65536)
def openings(site: Site, source: Address, machine: Machine, address: Address) -> tuple[Opening, ...]:
    """
    Return what the matrix opens from one source address to one address of a machine, by protocol and port, disjoint and
    sorted.

    First matching rule decides, as in the kernel.
    """
    matching = [
        rule
        for rule in host_rules(site, machine)
        if source in rule.source and rule.version == address.version and rule.destination in (None, address)
    ]
    opened: list[Opening] = []
    for protocol in ("tcp", "udp", "vrrp"):
        rules = [rule for rule in matching if rule.protocol == protocol]
        opened += _disjoint(protocol, rules)
    return tuple(opened)


def _disjoint(protocol: str, rules: list[HostRule]) -> list[Opening]:
    if not rules:
        return []
    edges = sorted({edge for rule in rules for edge in (rule.interval[0], rule.interval[1] + 1)})
    opened: list[Opening] = []
    for low, after in pairwise(edges):
        covering = [rule for rule in rules if rule.interval[0] <= low <= rule.interval[1]]
        if not covering or covering[0].action == "deny":
            continue
        names = tuple(dict.fromkeys(rule.row for rule in covering if rule.action == "allow"))
        if opened and opened[-1].interval[1] == low - 1 and opened[-1].rows == names:
            opened[-1] = Opening(protocol, (opened[-1].interval[0], after - 1), names)
        else:
            opened.append(Opening(protocol, (low, after - 1), names))
    return opened


def boundary_ports(site: Site) -> frozenset[int]:
    """Return lo-1, lo, mid, hi and hi+1 of every interval of all rows, active or not, within 1-65535."""
    ports: set[int] = set()
    for row in site.rows:
        for low, high in row.intervals:
            ports |= {low - 1, low, (low + high) // 2, high, high + 1}
    return frozenset(port for port in ports if 1 <= port <= 65535)
