"""Whom a node's probe pod probes, and what the matrix says of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from model import bits
from model.base import Address
from model.matrix.matrix import Opening, openings
from model.report.words import Plane
from model.site.hosts import Machine
from model.site.rows import Row
from model.site.site import Site
from model.verify.pairs import PROTOCOLS, Pair, speakable
from model.verify.probed_ports import RuledPorts
from model.verify.probed_ports import with_ports as deal

_PODS, _AT = "pods", "@"
_ANY = {"tcp": 1 << 1}


@dataclass(frozen=True, slots=True)
class ProbePod:
    """
    A pod of one node: its addresses, and a container whose network it has, by the runtime's own name. `word` is what
    rows of the matrix call it; the idle ones have none.
    """

    node: str
    addresses: tuple[Address, ...]
    container: str
    word: str = ""

    @property
    def end(self) -> str:
        """Its name as an end of a cell."""
        return f"{self.word or _PODS}{_AT}{self.node}"

    def speaks(self, version: int) -> Address | None:
        """Return its address of an IP version."""
        return next((address for address in self.addresses if address.version == version), None)


def pods_of(node: str) -> str:
    """Return the name of a node's pods as an end of a cell."""
    return f"{_PODS}{_AT}{node}"


def node_of(end: str) -> str:
    """Return the host that an end is on: a pod's node, any other end itself."""
    return end.rpartition(_AT)[2]


def is_pod(end: str) -> bool:
    """Return whether an end is a pod."""
    return _AT in end


def is_component(end: str) -> bool:
    """Return whether an end is a pod of a component, which policies hold both ways."""
    return is_pod(end) and not end.startswith(f"{_PODS}{_AT}")


def read_pods(pods: Iterable[Mapping[str, Any]]) -> tuple[ProbePod, ...]:
    """Read idle pods as the API lists them, those that do not run left out."""
    running = [read for pod in pods if (read := read_pod(pod)) is not None]
    return tuple(sorted(running, key=lambda pod: pod.node))


def read_pod(pod: Mapping[str, Any], word: str = "") -> ProbePod | None:
    """Read one pod as the API shows it; None for one that does not run or is going."""
    status = pod["status"]
    running = [entry for entry in status.get("containerStatuses") or () if "running" in entry.get("state", {})]
    addresses = tuple(ip_address(entry["ip"]) for entry in status.get("podIPs") or ())
    if not running or not addresses or "deletionTimestamp" in pod["metadata"]:
        return None
    return ProbePod(pod["spec"]["nodeName"], addresses, running[0]["containerID"].rpartition("/")[2], word)


def pod_pairs(site: Site, pods: Collection[ProbePod], holders: Mapping[Address, str]) -> Iterator[Pair]:
    """
    Yield the pairs from every probe pod to every server's addresses and the API's own, and to every other node's probe
    pod.

    Between pods there is a border: a policy of the pod network stops a packet before it arrives, or nothing does.
    """
    for pod in pods:
        for machine, address in _places(site, holders):
            yield from _to_host(site, pod, machine, address)
        for other in (other for other in pods if other is not pod):
            for speaks, address in speakable(pod, other.addresses):
                yield Pair(
                    source=pod.end,
                    destination=other.end,
                    source_address=speaks,
                    address=address,
                    plane=Plane.POD,
                    border=True,
                    openings=(),
                )


def _places(site: Site, holders: Mapping[Address, str]) -> Iterator[tuple[Machine, Address]]:
    for machine in site.servers:
        for _, address in machine.every:
            yield machine, address
    for address, name in holders.items():
        yield site.by_name[name], address


def _to_host(site: Site, pod: ProbePod, machine: Machine, address: Address) -> Iterator[Pair]:
    speaks, node = pod.speaks(address.version), site.by_name[pod.node]
    if speaks is None:
        return
    # The word `pods` means those of nodes outside isolated networks, as `nodes` does.
    opened = () if site.isolated(node) else openings(site, speaks, machine, address)
    own = node.speaks(address.version)
    masks = (own,) if own is not None and machine is not node else ()
    # A pod network that hides pods behind their node gives them what is open to the node: nobody else can tell them
    # apart.
    lent = [part for mask in masks for part in openings(site, mask, machine, address)]
    border = machine is not node and address not in _own_network(site, node)
    may = tuple(_beside(lent, opened))
    yield Pair(
        source=pod.end,
        destination=machine.name,
        source_address=speaks,
        address=address,
        plane=Plane.POD,
        border=border,
        openings=opened,
        masks=masks,
        may=may,
    )


def _own_network(site: Site, node: Machine) -> frozenset[Address]:
    """Addresses of servers that no router stands before."""
    reached = [address for machine in site.servers for network, address in machine.every if network == node.network]
    endpoint = site.settings.kubernetes.endpoint.addresses if node.network == _endpoint_network(site) else ()
    return frozenset((*reached, *endpoint))


def _endpoint_network(site: Site) -> str:
    return next((machine.network for machine in site.control_planes), "")


def controls(pods: Iterable[ProbePod], site: Site) -> Iterator[Pair]:
    """
    Yield a probe from every node to its own pod, which no policy may stop, and one back: they show that both pod's
    agents work.
    """
    for pod in pods:
        node = site.by_name[pod.node]
        for own, address in speakable(node, pod.addresses):
            there = Pair(
                source=pod.node,
                destination=pod.end,
                source_address=own,
                address=address,
                plane=Plane.POD,
                border=False,
                openings=(),
                probed=_ANY,
            )
            yield there
            yield replace(there, source=pod.end, destination=pod.node, source_address=address, address=own)


def row_ports(site: Site) -> dict[str, int]:
    """
    Return, by protocol, the ports of all rows between pods, active or not: what a pod that is none of their ends tries.
    """
    return ends_of_intervals(row for row in site.rows if row.plane == "pod" and "pods" in row.destination_ends)


def ends_of_intervals(rows: Iterable[Row]) -> dict[str, int]:
    """Return, by protocol, the first and the last port of every interval of these rows."""
    chosen = tuple(rows)
    return {
        protocol: bits.from_ports(
            port for row in chosen if row.protocol == protocol for low, high in row.intervals for port in (low, high)
        )
        for protocol in PROTOCOLS
    }


def with_ports(
    site: Site,
    chosen: Iterable[Pair],
    listeners: Mapping[str, Mapping[str, int]],
    only: Mapping[str, int] | None = None,
    rulings: RuledPorts | None = None,
) -> tuple[Pair, ...]:
    """
    Deal out the ports that pods probe, at any depth: at hosts the boundaries and what listens, at each other what rows
    speak of.
    """
    chosen, ports = tuple(chosen), row_ports(site)
    to_hosts = (pair for pair in chosen if not is_pod(pair.destination))
    dealt = iter(deal(site, to_hosts, "boundaries", listeners, only, rulings))
    return tuple(
        replace(pair, probed=ports if only is None else only) if is_pod(pair.destination) else next(dealt)
        for pair in chosen
    )


def _beside(lent: Iterable[Opening], own: Collection[Opening]) -> Iterator[Opening]:
    """Cut out of what is lent what is the pair's own."""
    for part in lent:
        mine = bits.from_intervals(opening.interval for opening in own if opening.protocol == part.protocol)
        for interval in bits.to_intervals(bits.from_intervals([part.interval]) & ~mine):
            yield Opening(part.protocol, interval, part.rows)
