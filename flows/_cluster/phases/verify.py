"""The last phase: what stands now is a cluster that works, seen from its API, from its pods and by packets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import yaml

from flows._cluster.cluster_run import ClusterRun
from flows._cluster.outcomes import skipped
from flows._cluster.phases import pod_dns, ports
from flows._cluster.serving_certificates import certificates
from model.kubernetes.manifests import condition, holds
from model.report.outcome import Outcome, Status
from remote.facts import probe_pod
from tasks import images
from tasks.render import render

if TYPE_CHECKING:
    from remote.kube import Cluster

READY_SECONDS = 180.0


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
            outcomes += _workloads(cluster)
            _await_probe_pods(cluster_run, cluster)
            outcomes += pod_dns.answers(cluster_run, cluster)
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
        for manifest in yaml.safe_load_all(text)
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

    path = "/api/v1/nodes"
    try:
        nodes = cluster.wait(path, ready, f"{len(wanted)} nodes to be ready", READY_SECONDS)
    except WaitExpired:
        nodes = cluster.list(path)
    seen = {node["metadata"]["name"]: node for node in nodes}
    for name in cluster_run.nodes:
        node = seen.get(name)
        if node is None:
            yield Outcome(name, "node", Status.MISSING, "the cluster has no such node", next="run bootstrap again")
        elif not holds(node, "Ready"):
            yield Outcome(
                name, "node", Status.FAILED, f"is not ready: {_why(node)}", next="read kubelet's journal there"
            )
        else:
            yield Outcome(name, "node", Status.OK, f"is ready, {node['status']['nodeInfo']['kubeletVersion']}")


def _why(node: Any) -> str:
    return str(condition(node, "Ready").get("message", "it has said nothing yet"))


def _workloads(cluster: Cluster) -> Iterable[Outcome]:
    from model.errors import WaitExpired

    for kind in ("daemonsets", "deployments"):
        path = f"/apis/apps/v1/{kind}"
        try:
            workloads = cluster.wait(
                path, lambda objects: all(map(_complete, objects)), f"{kind} to be ready", READY_SECONDS
            )
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


def _await_probe_pods(cluster_run: ClusterRun, cluster: Cluster) -> None:
    """
    Wait for the pod of each node: of one that has just come the DaemonSet may not know yet. Who asks it tells of one
    that is missing.
    """
    from model.errors import WaitExpired

    def there(pods: Sequence[Any]) -> bool:
        serving = [pod for pod in pods if holds(pod, "Ready") and "deletionTimestamp" not in pod["metadata"]]
        return set(cluster_run.nodes) <= {pod["spec"].get("nodeName") for pod in serving}

    with suppress(WaitExpired):
        cluster.wait(f"/api/v1/namespaces/{probe_pod.NAMESPACE}/pods", there, "probe pods on every node", READY_SECONDS)


def _complete(thing: Any) -> bool:
    status = thing["status"]
    if status.get("observedGeneration", 0) < thing["metadata"]["generation"]:
        return False
    if thing.get("spec", {}).get("replicas") is not None:
        return bool(status.get("readyReplicas", 0) == thing["spec"]["replicas"] == status.get("updatedReplicas", 0))
    wanted = status.get("desiredNumberScheduled", 0)
    return bool(wanted == status.get("numberReady", 0) == status.get("updatedNumberScheduled", 0) and wanted)
