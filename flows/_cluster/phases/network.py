"""Phases that give pods a network and nodes their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flows._cluster.cluster_run import ClusterRun
from flows._cluster.outcomes import skipped, state_outcome
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


def foresee(cluster_run: ClusterRun) -> None:
    """Raise where the pod network's objects are not to be had."""
    cni.source(cluster_run.site, cluster_run.bundle, cluster_run.folder)


def pods(cluster_run: ClusterRun) -> tuple[Outcome, ...]:
    """Give pods their network and its DNS: the cluster's part, and each node's part."""
    if not cluster_run.members:
        return skipped(("controller",), "cni", NO_CLUSTER)
    from remote.kube import open_cluster

    source = cni.source(cluster_run.site, cluster_run.bundle, cluster_run.folder)
    with open_cluster(cluster_run.nr, cluster_run.site, cluster_run.members) as cluster:
        lines = cni.enforce(cluster, cluster_run.site, source, dry_run=cluster_run.dry_run)
        nodes = {node.name: node for node in _nodes(cluster_run, cluster)}
        lines = (*lines, *dns.enforce(cluster, cluster_run.site, dry_run=cluster_run.dry_run))

    def task(host: Host) -> Outcome:
        return _on_host(cluster_run, host, nodes)

    everywhere = objects("cni", "pod network and its DNS", lines, cluster_run.dry_run)
    return (everywhere, *cluster_run.on_each("cni", "pod network", task, cluster_run.nodes, 2 * SECONDS))


def _nodes(cluster_run: ClusterRun, cluster: Cluster) -> tuple[Node, ...]:
    """Return the nodes, waiting a moment for those that have just joined to be given addresses for pods."""
    wanted = {name for name in cluster_run.nodes if cluster_run.facts[name].progress == "member"}

    def given(nodes: Sequence[Manifest]) -> bool:
        return wanted <= {node["metadata"]["name"] for node in nodes if node["spec"].get("podCIDRs")}

    if not cluster_run.dry_run:
        cluster.wait(NODES, given, "every node to be given addresses for pods", _GIVEN_SECONDS)
    return observe_nodes(cluster)


def _on_host(cluster_run: ClusterRun, host: Host, nodes: Mapping[str, Node]) -> Outcome:
    machine, node = cluster_run.site.by_name[host.name], nodes.get(host.name)
    if node is None or not node.pod_cidrs:
        if cluster_run.dry_run:
            return Outcome(host.name, "cni", Status.DRIFT, "would join the pod network", next="run without --dry-run")
        raise HostError(
            host.name, "the cluster has given it no addresses for pods", "is it a node? run bootstrap again"
        )
    done = enforce(host, cni.conflist(cluster_run.site, machine, node.pod_cidrs), dry_run=cluster_run.dry_run)
    return state_outcome(host.name, "cni", done, "pod network")


def names(cluster_run: ClusterRun) -> tuple[Outcome, ...]:
    """Give every node the labels and taints of its roles."""
    if not cluster_run.members:
        return skipped(("controller",), "labels", NO_CLUSTER)
    from remote.kube import open_cluster

    with open_cluster(cluster_run.nr, cluster_run.site, cluster_run.members) as cluster:
        lines = enforce_labels(cluster, cluster_run.site, dry_run=cluster_run.dry_run)
    return (objects("labels", "labels and taints", lines, cluster_run.dry_run),)


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
