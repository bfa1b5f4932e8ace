"""How one node is brought to another version, its pods moved before and everything well afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows._cluster.cluster_run import ClusterRun
from flows._cluster.upgrade.look import CLOSED, ClusterVersions
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from model.bundle.bundle import Bundle
from model.errors import HostError
from model.kubernetes.upgrade import numbers
from model.report.outcome import Outcome, Status
from remote.facts import cluster as cluster_facts
from remote.facts import etcd_status
from tasks import drain, runtime, upgrade
from tasks.hoststate import enforce

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from remote.kube import Cluster

_LOOK_SECONDS = 90.0
_READY_SECONDS = 300.0
_WORKLOADS_SECONDS = 180.0


def change(
    cluster_run: ClusterRun, cluster: Cluster, seen: ClusterVersions, bundle: Bundle, host: Host, kind: upgrade.Kind
) -> Outcome:
    """Drain a node, let it upgrade itself, wait for it and for what ran on it, and open it again."""
    name = host.name
    versions = "; ".join(seen.behind(name, bundle))
    moved = _close(cluster_run, cluster, name)
    cluster_run.context.say(f"{name}: {moved} pods moved; {versions}")
    upgrade.carry_out(host, cluster_run.site, bundle, kind)
    enforce(
        host,
        runtime.desired(cluster_run.site, bundle.image("pause").reference, cluster_run.facts[name].suite),
        dry_run=False,
    )
    _await_node(cluster_run, cluster, name, bundle)
    _open(cluster, name)
    _await_workloads(cluster, seen)
    return Outcome(
        name,
        "upgrade",
        Status.CHANGED,
        f"{versions}; {moved} pods moved",
        next="",
        evidence={"pods": moved, "kind": kind},
    )


def _close(cluster_run: ClusterRun, cluster: Cluster, name: str) -> int:
    """Close a node and move its pods, where there is another node that could take them."""
    nodes = cluster_facts.observe_nodes(cluster)
    if not any(node.ready and node.schedulable and node.name != name for node in nodes):
        cluster_run.context.say(f"{name}: no other node could take its pods: they stay")
        return 0
    node = next(node for node in nodes if node.name == name)
    if node.schedulable:
        # One write: a node that is closed and not marked would stay closed.
        patch = {"metadata": {"annotations": {CLOSED: "true"}}, "spec": {"unschedulable": True}}
        cluster.patch(f"{cluster_facts.NODES}/{name}", patch)
    return drain.drain(cluster, name)


def _open(cluster: Cluster, name: str) -> None:
    """Open a node that a run of ours closed; one that a person closed stays closed."""
    path = f"{cluster_facts.NODES}/{name}"
    if CLOSED in (cluster.get(path)["metadata"].get("annotations") or {}):
        cluster.patch(path, {"metadata": {"annotations": {CLOSED: None}}, "spec": {"unschedulable": None}})


def _await_node(cluster_run: ClusterRun, cluster: Cluster, name: str, bundle: Bundle) -> None:
    from remote.kube import open_cluster

    def there(nodes: Sequence[object]) -> bool:
        node = next((node for node in cluster_facts.observe_nodes(cluster) if node.name == name), None)
        return bool(nodes) and node is not None and node.ready and numbers(node.kubelet) == numbers(bundle.kubernetes)

    awaited = f"{name} to be ready at {bundle.kubernetes}"
    cluster.wait(f"{cluster_facts.NODES}/{name}", there, awaited, _READY_SECONDS)
    if cluster_run.site.by_name[name].node != "control_plane":
        return
    with open_cluster(cluster_run.nr, cluster_run.site, (name,)) as own:
        own.wait(cluster_facts.NODES, bool, f"the API server of {name}", _READY_SECONDS)
        if complaints := own.healthy():
            raise HostError(name, f"its API server is not ready: {'; '.join(complaints)}", "read its log there")
    states = run_on_hosts(cluster_run.nr, etcd_status.observe, names=(name,), deadline=_LOOK_SECONDS)[name]
    if isinstance(states, HostFailure):
        raise HostError(name, f"etcd does not answer: {states.message}", states.next)
    if silent := [state.seat.name for state in states if not state.healthy]:
        raise HostError(name, f"members of etcd are not healthy: {', '.join(silent)}", "python -m flows.etcd status")


def _await_workloads(cluster: Cluster, seen: ClusterVersions) -> None:
    """What was whole before must be whole again, before the next node goes."""
    whole = {str(workload) for workload in seen.facts.workloads if workload.complete and workload.kind != "DaemonSet"}

    def again(_nodes: Sequence[object]) -> bool:
        now = cluster_facts.observe(cluster).workloads
        return not [workload for workload in now if str(workload) in whole and not workload.complete]

    cluster.wait(cluster_facts.NODES, again, "every workload to have its pods again", _WORKLOADS_SECONDS)
