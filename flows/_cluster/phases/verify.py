"""The last phase: is what stands now a cluster that works, seen from its API, from its pods and by packets?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any

import yaml

from flows._cluster.cluster_run import ClusterRun, skipped, would
from flows._cluster.phases import ports
from flows._fleet.hosts import HostFailure, each
from model.kubernetes.manifests import condition, holds
from model.report.outcome import Outcome, Status
from remote.facts import probe_pod
from remote.facts.probe_pod import Question
from tasks import images, serving
from tasks.render import render

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from remote.kube import Cluster

READY_SECONDS = 180.0
_ASK_SECONDS = 150.0
_LEARN_SECONDS = 90.0
_SERVE_SECONDS = 60.0
_PAUSE_SECONDS = 0.5
_NAME = "kubernetes.default.svc.cluster.local"


def run(cluster_run: ClusterRun) -> tuple[Outcome, ...]:
    """
    Approve what kubelets asked for, wait until nodes and system pods are ready, ask DNS from every node's pod, prove
    the ports.
    """
    if not cluster_run.members:
        return skipped(("controller",), "verify", "there is no cluster yet")
    from remote.kube import open_cluster

    with open_cluster(cluster_run.nr, cluster_run.site, cluster_run.members) as cluster:
        outcomes = [*_certificates(cluster_run, cluster), *_probe(cluster_run, cluster)]
        if not cluster_run.dry_run:
            outcomes += _nodes(cluster_run, cluster)
            outcomes += _workloads(cluster)
            _await_probe_pods(cluster_run, cluster)
            outcomes += _names(cluster_run, cluster)
    if cluster_run.dry_run:
        return (
            *outcomes,
            *skipped(("controller",), "ports", "a dry run sends no packets; `python -m flows.verify_ports` does"),
        )
    return (*outcomes, *ports.proof(cluster_run, "auto"))


def _certificates(cluster_run: ClusterRun, cluster: Cluster) -> Iterable[Outcome]:
    """
    Decide about what kubelets ask for until each has its certificate: one that has just joined may not have asked yet.
    """
    decided: dict[str, Outcome] = {}
    deadline = monotonic() + _SERVE_SECONDS
    without: dict[str, Outcome] = {}
    while True:
        for decision in serving.decide(cluster, cluster_run.site):
            if decision.name not in decided:
                decided[decision.name] = _decided(cluster_run, cluster, decision)
        if cluster_run.dry_run:
            break
        refused = {outcome.host for outcome in decided.values() if outcome.status is Status.DRIFT}
        without = _without_certificate(cluster_run, [name for name in cluster_run.nodes if name not in refused])
        if not without or monotonic() > deadline:
            break
        Event().wait(_PAUSE_SECONDS)
    return (*decided.values(), *without.values())


def _decided(cluster_run: ClusterRun, cluster: Cluster, decision: serving.Decision) -> Outcome:
    what = f"kubelet's serving certificate ({decision.name})"
    if decision.objection:
        step = f"look at it: kubectl describe csr {decision.name}"
        return Outcome(decision.node, "serving-certificate", Status.DRIFT, f"{what} {decision.objection}", next=step)
    if cluster_run.dry_run:
        return would(decision.node, "serving-certificate", f"{what} would be approved")
    serving.approve(cluster, decision)
    return Outcome(decision.node, "serving-certificate", Status.CHANGED, f"{what} approved")


def _without_certificate(cluster_run: ClusterRun, names: Sequence[str]) -> dict[str, Outcome]:
    """Return an outcome for each kubelet that has no serving certificate."""
    answers = each(cluster_run.nr, serving.has_certificate, names=names, deadline=_ASK_SECONDS)
    message = "kubelet has no serving certificate and has not asked for one that could be approved"
    lacking = {name: answer for name, answer in answers.items() if answer is not True}
    return {
        name: answer.outcome("serving-certificate")
        if isinstance(answer, HostFailure)
        else Outcome(
            name,
            "serving-certificate",
            Status.FAILED,
            message,
            next="read kubelet's journal there, and kubectl get csr",
        )
        for name, answer in lacking.items()
    }


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


def _names(cluster_run: ClusterRun, cluster: Cluster) -> Iterable[Outcome]:
    """
    Ask DNS from a pod on every node: at the Service's addresses, and at every server behind it, which may be on another
    node.
    """

    def ask(host: Host) -> Outcome:
        wrong, count = _unanswered(host, cluster)
        if wrong:
            message = f"DNS asked from a pod on it: {'; '.join(wrong)}"
            return Outcome(
                host.name, "pod-network", Status.FAILED, message, next="look at the CNI's pods and the overlay's port"
            )
        return Outcome(host.name, "pod-network", Status.OK, f"a pod on it is answered by all {count} addresses of DNS")

    answers = each(cluster_run.nr, ask, names=cluster_run.nodes, deadline=_ASK_SECONDS)
    for answer in answers.values():
        yield answer.outcome("pod-network") if isinstance(answer, HostFailure) else answer


def _unanswered(host: Host, cluster: Cluster) -> tuple[list[str], int]:
    """
    Ask until all of DNS answers or the time is up; return what came instead of an answer, and how many addresses there
    are.

    Nodes learn of each other's part of the overlay one after the other, and DNS's pods may just be making way for new
    ones.
    """
    deadline = monotonic() + _LEARN_SECONDS
    answered: set[Question] = set()
    while True:
        questions = _questions(cluster)
        open_ones = [question for question in questions if question not in answered]
        answers = dict(zip(open_ones, probe_pod.ask(host, open_ones), strict=True)) if open_ones else {}
        answered |= {question for question, answer in answers.items() if answer == "answered"}
        wrong = [f"{question.server}: {answer}" for question, answer in answers.items() if answer != "answered"]
        if not wrong or monotonic() > deadline:
            return wrong, len(questions)


def _questions(cluster: Cluster) -> tuple[Question, ...]:
    """
    Return one question for each address of DNS: the Service's, and those of its pods that are ready and not on their
    way out.
    """
    service = cluster.get("/api/v1/namespaces/kube-system/services/kube-dns")
    pods = cluster.list("/api/v1/namespaces/kube-system/pods", labels="k8s-app=kube-dns")
    serving = [pod for pod in pods if holds(pod, "Ready") and "deletionTimestamp" not in pod["metadata"]]
    own = (address["ip"] for pod in serving for address in pod["status"].get("podIPs", ()))
    return tuple(Question(server, _NAME) for server in dict.fromkeys((*service["spec"]["clusterIPs"], *own)))
