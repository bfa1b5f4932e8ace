"""Pods of the components themselves: which of them stand for a word of the matrix, and who is probed from where."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from model.base import Address
from model.kubernetes.cluster import NODE_PREFIX
from model.matrix.matrix import BROAD
from model.matrix.pod_words import EVERY_POD, pod_words, receives, sends, unknown_words, word_of
from model.report.words import Plane
from model.site.hosts import Machine
from model.site.rows import Row
from model.site.site import Site
from model.verify.pairs import Pair, opened_by, speakable
from model.verify.pods import ProbePod, ends_of_intervals, read_pod

# Where pods of one word speak to each other, two of them stand for it.
_ALONE, _TOGETHER = 1, 2


def read_component_pods(site: Site, pods: Iterable[Mapping[str, Any]]) -> tuple[ProbePod, ...]:
    """
    Read which pods stand for the words of rows, of pods as the API lists them: the first of each word that runs and has
    a network of its own, and one more, on another node, where pods of that word speak to each other. None where nothing
    holds pods to policies.
    """
    words = pod_words(site) if _held(site) else {}
    chosen: dict[str, list[ProbePod]] = {}
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"].get("name"))):
        meta = pod["metadata"]
        word = word_of(words, meta.get("namespace", ""), meta.get("labels") or {})
        read = read_pod(pod, word or "")
        if word is None or read is None or pod["spec"].get("hostNetwork"):
            continue
        there = chosen.setdefault(word, [])
        if len(there) < _wanted(site, word) and read.node not in {other.node for other in there}:
            there.append(read)
    return tuple(pod for word in sorted(chosen) for pod in chosen[word])


def _held(site: Site) -> bool:
    return site.settings.cni.enforces_policies and not unknown_words(site)


def _wanted(site: Site, word: str) -> int:
    return _TOGETHER if any(sends(row, word) and receives(row, word) for row in _rows(site)) else _ALONE


def _rows(site: Site) -> Iterator[Row]:
    return (row for row in site.active_rows if row.plane == "pod")


def component_pairs(site: Site, probes: Collection[ProbePod], components: Collection[ProbePod]) -> Iterator[Pair]:
    """
    Yield the pairs between pods of components, from probe pods and nodes to them, and from them to every server.

    What a policy stops never arrives: there is a border before each of them and behind it.
    """
    running = {pod.word for pod in components}
    for pod in components:
        for other in (other for other in components if other is not pod):
            rows = [row for row in _rows(site) if sends(row, pod.word) and receives(row, other.word)]
            yield from _pairs(pod, other, rows)
        for machine in site.servers:
            yield from _to_host(site, pod, machine, running)
        for probe in probes:
            rows = [row for row in _rows(site) if EVERY_POD in row.pod_from and receives(row, pod.word)]
            yield from _pairs(probe, pod, rows)
            if probe.node != pod.node:
                yield from _from_node(site, probe, pod)


def controls(site: Site, components: Iterable[ProbePod]) -> Iterator[Pair]:
    """Yield a probe from every node to its own pods, which no policy may stop: it shows that their witnesses work."""
    for pod in components:
        yield from _pairs(site.by_name[pod.node], pod, (), name=pod.node, border=False, probed={"tcp": 1 << 1})


def with_ports(site: Site, chosen: Iterable[Pair], only: Mapping[str, int] | None = None) -> tuple[Pair, ...]:
    """Deal out the ports that are probed at any depth: those of all rows of pods, active or not."""
    ports = ends_of_intervals(row for row in site.rows if row.plane == "pod") if only is None else only
    return tuple(replace(pair, probed=ports) for pair in chosen)


def proven_rows(pairs: Iterable[Pair]) -> frozenset[str]:
    """Return the rows between pods that some pair of these is about."""
    return frozenset(
        name for pair in pairs if pair.plane == Plane.POD for opening in pair.openings for name in opening.rows
    )


def _pairs(
    source: ProbePod | Machine,
    pod: ProbePod,
    rows: Collection[Row],
    *,
    name: str = "",
    border: bool = True,
    probed: Mapping[str, int] | None = None,
) -> Iterator[Pair]:
    end = source.end if isinstance(source, ProbePod) else name
    for speaks, address in speakable(source, pod.addresses):
        yield Pair(
            source=end,
            destination=pod.end,
            source_address=speaks,
            address=address,
            plane=Plane.POD,
            border=border,
            openings=opened_by(rows),
            probed=probed or {},
        )


def _to_host(site: Site, pod: ProbePod, machine: Machine, running: Collection[str]) -> Iterator[Pair]:
    """
    A pod comes to other nodes with its own node's address, and to its own with the one that it has: there it is seen
    before anybody stops it, and what is translated to a pod there is that pod's. Before such pods run nothing is
    translated, and a policy that opens them opens nothing there.
    """
    node = site.by_name[pod.node]
    for speaks, address in speakable(pod, machine.own):
        rows = [row for row in _rows(site) if sends(row, pod.word) and _leads_to(site, row, machine)]
        rows += (
            [row for row in _translated(site, pod.word, machine) if row.target in running] if machine is node else []
        )
        hidden = node.speaks(address.version) if machine is not node else None
        yield Pair(
            source=pod.end,
            destination=machine.name,
            source_address=speaks,
            address=address,
            plane=Plane.POD,
            border=machine is not node,
            openings=opened_by(rows),
            masks=(hidden,) if hidden else (),
        )


def _translated(site: Site, word: str, machine: Machine) -> list[Row]:
    """Return the rows whose ports this node translates to pods that pods of this word may speak to."""
    return [
        row
        for row in site.active_rows
        if row.target
        and machine in site.targets(row)
        and any(sends(inward, word) and row.target in inward.pod_to for inward in _rows(site))
    ]


def _leads_to(site: Site, row: Row, machine: Machine) -> bool:
    return any(machine in site.machines_at(end) for end in row.destination_ends)


def _from_node(site: Site, probe: ProbePod, pod: ProbePod) -> Iterator[Pair]:
    """A node comes to pods of others with the address that it has in the pod network."""
    node = site.by_name[probe.node]
    for speaks, address in speakable(node, pod.addresses):
        own = probe.speaks(address.version)
        inward = (row for row in _rows(site) if receives(row, pod.word))
        rows = [row for row in inward if any(_is_at(site, node, speaks, end) for end in row.source_ends)]
        yield Pair(
            source=probe.node,
            destination=pod.end,
            source_address=speaks,
            address=address,
            plane=Plane.POD,
            border=True,
            openings=opened_by(rows),
            masks=(_first_of_share(own),) if own else (),
        )


def _is_at(site: Site, node: Machine, address: Address, end: str) -> bool:
    """Return whether an end means a node, as a machine or as an address of its networks."""
    if end in BROAD and site.isolated(node):
        return False
    networks = () if end == "pods" else site.networks_at(end)
    return node in site.machines_at(end) or any(address in network for network in networks)


def _first_of_share(address: Address) -> Address:
    # Which is the node's own.
    return ip_network((address, NODE_PREFIX[address.version]), strict=False).network_address
