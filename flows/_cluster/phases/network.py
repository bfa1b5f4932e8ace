"""Phases that give pods a network and nodes their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flows._cluster.cluster_run import ClusterRun, skipped, state_outcome
from model.errors import HostError
from model.report.outcome import Outcome, Status
from remote.facts.cluster import NODES, observe_nodes
from tasks import cni, dns
from tasks.hoststate import SECONDS, enforce
from tasks.objects import enforce_labels

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from model.kubernetes.cluster import Node
    from model.kubernetes.manifests import Manifest
    from remote.kube import Cluster

_GIVEN_SECONDS = 60.0
NO_CLUSTER = "there is no cluster yet"


def foresee(work: ClusterRun) -> None:
    """Raise where the pod network's objects are not to be had."""
    cni.source(work.site, work.bundle, work.folder)


def pods(work: ClusterRun) -> tuple[Outcome, ...]:
    """Give pods their network and its DNS: the cluster's part, and each node's part."""
    if not work.members:
        return skipped(("controller",), "cni", NO_CLUSTER)
    from remote.kube import open_cluster

    source = cni.source(work.site, work.bundle, work.folder)
    with open_cluster(work.nr, work.site, work.members) as cluster:
        lines = cni.enforce(cluster, work.site, *source, dry_run=work.dry_run)
        nodes = {node.name: node for node in _nodes(work, cluster)}
        lines = (*lines, *dns.enforce(cluster, work.site, dry_run=work.dry_run))

    def task(host: Host) -> Outcome:
        return _on_host(work, host, nodes)

    everywhere = objects("cni", "pod network and its DNS", lines, work.dry_run)
    return (everywhere, *work.on_each("cni", "pod network", task, work.nodes, 2 * SECONDS))


def _nodes(work: ClusterRun, cluster: Cluster) -> tuple[Node, ...]:
    """Return the nodes, waiting a moment for those that have just joined to be given addresses for pods."""
    wanted = {name for name in work.nodes if work.facts[name].progress == "member"}

    def given(nodes: Sequence[Manifest]) -> bool:
        return wanted <= {node["metadata"]["name"] for node in nodes if node["spec"].get("podCIDRs")}

    if not work.dry_run:
        cluster.wait(NODES, given, "every node to be given addresses for pods", _GIVEN_SECONDS)
    return observe_nodes(cluster)


def _on_host(work: ClusterRun, host: Host, nodes: Mapping[str, Node]) -> Outcome:
    machine, node = work.site.by_name[host.name], nodes.get(host.name)
    if node is None or not node.pod_cidrs:
        if work.dry_run:
            return Outcome(host.name, "cni", Status.DRIFT, "would join the pod network", next="run without --dry-run")
        raise HostError(
            host.name, "the cluster has given it no addresses for pods", "is it a node? run bootstrap again"
        )
    done = enforce(host, cni.conflist(work.site, machine, node.pod_cidrs), dry_run=work.dry_run)
    return state_outcome(host.name, "cni", done, "pod network")


def names(work: ClusterRun) -> tuple[Outcome, ...]:
    """Give every node the labels and taints of its roles."""
    if not work.members:
        return skipped(("controller",), "labels", NO_CLUSTER)
    from remote.kube import open_cluster

    with open_cluster(work.nr, work.site, work.members) as cluster:
        lines = enforce_labels(cluster, work.site, dry_run=work.dry_run)
    return (objects("labels", "labels and taints", lines, work.dry_run),)


def objects(subject: str, what: str, lines: tuple[str, ...], dry_run: bool) -> Outcome:
    """Return what came of objects of the cluster as a whole."""
    if not lines:
        return Outcome("controller", subject, Status.OK, f"{what}: as declared")
    if dry_run:
        step = "run without --dry-run"
        return Outcome(
            "controller", subject, Status.DRIFT, f"{what}: would be changed", next=step, evidence="\n".join(lines)
        )
    return Outcome("controller", subject, Status.CHANGED, f"{what}: changed", next="", evidence="\n".join(lines))
