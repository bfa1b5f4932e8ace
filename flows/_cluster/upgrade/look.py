"""What runs in the cluster now, and what speaks against changing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from flows._cluster.cluster_run import ClusterRun
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from model.bundle.bundle import Bundle
from model.errors import PlanRefused
from model.kubernetes import compatibility, upgrade
from model.kubernetes.cluster import ClusterFacts
from model.kubernetes.node_conditions import judge
from model.kubernetes.upgrade import Running
from remote.facts import cluster as cluster_facts
from remote.facts import etcd_status
from tasks import drain

if TYPE_CHECKING:
    from remote.kube import Cluster

_LOOK_SECONDS = 90.0
_SYSTEM = "/api/v1/namespaces/kube-system"
# Which nodes a run of ours closed to new pods, so that the next one opens them again.
CLOSED = "matrix-fleet.io/closed-by-upgrade"


@dataclass(frozen=True, slots=True)
class ClusterVersions:
    """
    The cluster before anything is changed. `configured` is the version that kubeadm keeps of the cluster as a whole.
    """

    facts: ClusterFacts
    running: dict[str, Running]
    configured: str
    orphans: tuple[str, ...]

    def behind(self, name: str, bundle: Bundle) -> tuple[str, ...]:
        """Say what of a node is not at the bundle's versions yet, or was left half done."""
        steps = upgrade.behind(self.running[name], bundle.kubernetes, bundle.binary("containerd").version)
        node = self.facts.node(name)
        if node is not None and CLOSED in node.annotations:
            steps = (*steps, "open it to pods again")
        return steps


def look(cluster_run: ClusterRun, cluster: Cluster) -> ClusterVersions:
    """Ask the API once; raises `KubernetesError`."""
    facts = cluster_facts.observe(cluster)
    planes = {pod["spec"].get("nodeName", ""): _version(pod) for pod in _api_servers(cluster)}
    running = {
        node.name: Running(node.name, node.kubelet, planes.get(node.name, ""), node.runtime) for node in facts.nodes
    }
    configuration = cluster.get(f"{_SYSTEM}/configmaps/kubeadm-config")["data"]["ClusterConfiguration"]
    configured = str(yaml.safe_load(configuration)["kubernetesVersion"])
    pods = [pod for name in cluster_run.names if name in running for pod in drain.pods_on(cluster, name)]
    return ClusterVersions(facts, running, configured, tuple(drain.orphans(pods)))


def _api_servers(cluster: Cluster) -> list[Any]:
    return cluster.list(f"{_SYSTEM}/pods", labels="component=kube-apiserver")


def _version(pod: Any) -> str:
    return str(pod["spec"]["containers"][0]["image"]).rpartition(":")[2]


def refuse(cluster_run: ClusterRun, seen: ClusterVersions, bundle: Bundle) -> None:
    """Raise `PlanRefused` with every reason there is, before anything is changed."""
    reasons = list(_reasons(cluster_run, seen, bundle))
    if reasons:
        raise PlanRefused(
            "\n".join(["refused, nothing was changed on any host:", *reasons]),
            next_step="mend that first (python -m flows.bootstrap, flows.etcd status), then run again",
        )


def _reasons(cluster_run: ClusterRun, seen: ClusterVersions, bundle: Bundle) -> Iterator[str]:
    if words := upgrade.objection(seen.running.values(), bundle.kubernetes):
        yield words
    today = cluster_run.context.started.date()
    for problem in (
        *compatibility.kubernetes(bundle.kubernetes, today),
        *compatibility.containerd(bundle.binary("containerd").version, bundle.kubernetes, today),
    ):
        if problem.severity == "error":
            yield problem.what
    for name, lost in cluster_run.lost.items():
        if cluster_run.site.by_name[name].node and name in seen.running:
            yield f"{name}: {lost.message}"
    for node in seen.facts.nodes:
        yield from (f"{node.name}: {wrong}" for wrong in judge(node.conditions).wrong)
    for name in cluster_run.members[:1]:
        states = run_on_hosts(cluster_run.nr, etcd_status.observe, names=(name,), deadline=_LOOK_SECONDS)[name]
        if isinstance(states, HostFailure):
            yield f"{name}: etcd does not answer: {states.message}"
        else:
            yield from (
                f"{state.seat.name}: its member of etcd is not healthy" for state in states if not state.healthy
            )
    planes = [name for name, running in seen.running.items() if running.plane]
    waiting = [name for name in planes if name not in cluster_run.names and seen.behind(name, bundle)]
    if waiting and any(name not in planes for name in cluster_run.names):
        yield f"control planes come first: {', '.join(waiting)} are not selected and not at {bundle.kubernetes}"
    if seen.orphans and not cluster_run.context.options.yes:
        shown = ", ".join(seen.orphans[:6])
        yield f"pods that nobody would start again elsewhere: {shown}; --yes lets them go"
