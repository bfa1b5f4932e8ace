"""The last phase: what stands now is a cluster that works, seen from its API, from its pods and by packets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import yaml

from flows._cluster.cluster_run import ClusterRun
from flows._cluster.outcomes import skipped
from flows._cluster.phases import pod_dns, ports
from flows._cluster.serving_certificates import certificates
from model.kubernetes.manifests import condition, holds
from model.kubernetes.probe_pods import absent, obstacles
from model.report.outcome import Outcome, Status
from remote.facts import probe_pod
from tasks import images
from tasks.render import render

if TYPE_CHECKING:
    from remote.kube import Cluster

READY_SECONDS = 180.0
# While a node's condition keeps pods away, no longer wait brings any.
_HOPELESS_SECONDS = 10.0
NODES = "/api/v1/nodes"


def run(cluster_run: ClusterRun) -> tuple[Outcome, ...]:
    """
    Approve what kubelets asked for, wait until nodes and system pods are ready, ask DNS from every node's pod, prove
    the ports.
    """
    if not cluster_run.members:
        return skipped(("controller",), "verify", "there is no cluster yet")
    from remote.kube import open_cluster

    with open_cluster(cluster_run.nr, cluster_run.site, cluster_run.members) as cluster:
        outcomes = [*certificates(cluster_run, cluster), *_probe(cluster_run, cluster)]
        if not cluster_run.dry_run:
            outcomes += _nodes(cluster_run, cluster)
            hampered = obstacles(cluster.list(NODES))
            outcomes += _workloads(cluster, _HOPELESS_SECONDS if hampered else READY_SECONDS)
            outcomes += pod_dns.answers(cluster_run, cluster, await_probe_pods(cluster_run, cluster))
    if cluster_run.dry_run:
        return (
            *outcomes,
            *skipped(("controller",), "ports", "a dry run sends no packets; `python -m flows.verify_ports` does"),
        )
    return (*outcomes, *ports.proof(cluster_run, "auto"))


def _probe(cluster_run: ClusterRun, cluster: Cluster) -> Iterable[Outcome]:
    image = images.reference(cluster_run.site, cluster_run.bundle, "pause")
    text = render("manifests/probe/daemonset.yaml", namespace=probe_pod.NAMESPACE, image=image)
    lines = [
        line
        for manifest in yaml.load_all(text, Loader=yaml.CSafeLoader)
        for line in cluster.apply(manifest, dry_run=cluster_run.dry_run).lines
    ]
    if lines and cluster_run.dry_run:
        yield Outcome(
            "controller",
            "probe-pods",
            Status.DRIFT,
            "would be applied",
            next="run without --dry-run",
            evidence="\n".join(lines),
        )
    elif lines:
        yield Outcome(
            "controller", "probe-pods", Status.CHANGED, "one idle pod a node", next="", evidence="\n".join(lines)
        )


def _nodes(cluster_run: ClusterRun, cluster: Cluster) -> Iterable[Outcome]:
    from model.errors import WaitExpired

    wanted = set(cluster_run.nodes)

    def ready(nodes: Sequence[Any]) -> bool:
        return wanted <= {node["metadata"]["name"] for node in nodes if holds(node, "Ready")}

    try:
        nodes = cluster.wait(NODES, ready, f"{len(wanted)} nodes to be ready", READY_SECONDS)
    except WaitExpired:
        nodes = cluster.list(NODES)
    hampered = obstacles(nodes)
    seen = {node["metadata"]["name"]: node for node in nodes}
    for name in cluster_run.nodes:
        node = seen.get(name)
        if node is None:
            yield Outcome(name, "node", Status.MISSING, "the cluster has no such node", next="run bootstrap again")
        elif not holds(node, "Ready"):
            yield Outcome(
                name, "node", Status.FAILED, f"is not ready: {_why(node)}", next="read kubelet's journal there"
            )
        elif name in hampered:
            step = f"kubectl describe node {name}; under pressure: free its disk, memory or processes"
            yield Outcome(name, "node", Status.FAILED, f"keeps pods away by a {hampered[name]}", next=step)
        else:
            yield Outcome(name, "node", Status.OK, f"is ready, {node['status']['nodeInfo']['kubeletVersion']}")


def _why(node: Any) -> str:
    return str(condition(node, "Ready").get("message", "it has said nothing yet"))


def _workloads(cluster: Cluster, seconds: float) -> Iterable[Outcome]:
    from model.errors import WaitExpired

    for kind in ("daemonsets", "deployments"):
        path = f"/apis/apps/v1/{kind}"
        try:
            workloads = cluster.wait(path, lambda objects: all(map(_complete, objects)), f"{kind} to be ready", seconds)
        except WaitExpired:
            workloads = cluster.list(path)
        for thing in workloads:
            meta, status = thing["metadata"], thing["status"]
            name = f"{meta['namespace']}/{meta['name']}"
            if _complete(thing):
                yield Outcome("controller", f"workload/{name}", Status.OK, "is ready")
            else:
                message = (
                    f"{kind[:-1]} is not ready: {status.get('numberReady', status.get('readyReplicas', 0))} pods are"
                )
                yield Outcome(
                    "controller",
                    f"workload/{name}",
                    Status.FAILED,
                    message,
                    next=f"kubectl -n {meta['namespace']} get pods",
                )


def await_probe_pods(cluster_run: ClusterRun, cluster: Cluster) -> dict[str, str]:
    """
    Wait for the probe pod of each node, of one that has just come the DaemonSet may not know yet; return the nodes that
    have none and why. A node whose own condition keeps pods away is not waited for.
    """
    from model.errors import WaitExpired

    path = f"/api/v1/namespaces/{probe_pod.NAMESPACE}/pods"
    nodes = cluster.list(NODES)
    hampered = obstacles(nodes)
    wanted = [name for name in cluster_run.nodes if name not in hampered]
    lacking = absent(wanted, cluster.list(path), nodes)
    if lacking:
        cluster_run.context.say(f"waiting up to {READY_SECONDS:.0f} s for probe pods: {_told(lacking)}")
        with suppress(WaitExpired):
            cluster.wait(path, lambda pods: not absent(wanted, pods, ()), "probe pods on every node", READY_SECONDS)
    lacking = absent(cluster_run.nodes, cluster.list(path), cluster.list(NODES))
    if lacking:
        cluster_run.context.say(f"going on without the probe pods of some nodes: {_told(lacking)}")
    return lacking


def _told(lacking: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in lacking.items())


def _complete(thing: Any) -> bool:
    status = thing["status"]
    if status.get("observedGeneration", 0) < thing["metadata"]["generation"]:
        return False
    if thing.get("spec", {}).get("replicas") is not None:
        return bool(status.get("readyReplicas", 0) == thing["spec"]["replicas"] == status.get("updatedReplicas", 0))
    wanted = status.get("desiredNumberScheduled", 0)
    return bool(wanted == status.get("numberReady", 0) == status.get("updatedNumberScheduled", 0) and wanted)
