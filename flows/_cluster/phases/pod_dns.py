"""DNS asked from a pod on every node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import monotonic
from typing import TYPE_CHECKING

from flows._cluster.cluster_run import ClusterRun
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from model.kubernetes.manifests import holds
from model.kubernetes.service_names import API_NAME
from model.report.outcome import Outcome, Status
from remote.facts import probe_pod
from remote.facts.probe_pod import DnsQuestion

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from remote.kube import Cluster

_ASK_SECONDS = 150.0
_LEARN_SECONDS = 90.0


def answers(cluster_run: ClusterRun, cluster: Cluster, without: Mapping[str, str]) -> Iterable[Outcome]:
    """
    Ask DNS from a pod on every node: at the Service's addresses, and at every server behind it, which may be on another
    node. `without`: nodes that have no probe pod, and why.
    """
    for name, why in without.items():
        step = f"kubectl -n {probe_pod.NAMESPACE} describe pods; kubectl describe node {name}"
        yield Outcome(name, "pod-network", Status.FAILED, f"its probe pod does not come: {why}", next=step)

    def ask(host: Host) -> Outcome:
        wrong, count = _unanswered(host, cluster)
        if wrong:
            message = f"DNS asked from a pod on it: {'; '.join(wrong)}"
            return Outcome(
                host.name, "pod-network", Status.FAILED, message, next="look at the CNI's pods and the overlay's port"
            )
        return Outcome(host.name, "pod-network", Status.OK, f"a pod on it is answered by all {count} addresses of DNS")

    asked = tuple(name for name in cluster_run.nodes if name not in without)
    results = run_on_hosts(cluster_run.nr, ask, names=asked, deadline=_ASK_SECONDS) if asked else {}
    for answer in results.values():
        yield answer.outcome("pod-network") if isinstance(answer, HostFailure) else answer


def _unanswered(host: Host, cluster: Cluster) -> tuple[list[str], int]:
    """
    Ask until all of DNS answers or the time is up; return what came instead of an answer, and how many addresses there
    are.

    Nodes learn of each other's part of the overlay one after the other, and DNS's pods may just be making way for new
    ones.
    """
    deadline = monotonic() + _LEARN_SECONDS
    answered: set[DnsQuestion] = set()
    while True:
        questions = _questions(cluster)
        open_ones = [question for question in questions if question not in answered]
        answers = dict(zip(open_ones, probe_pod.ask(host, open_ones), strict=True)) if open_ones else {}
        answered |= {question for question, answer in answers.items() if answer == "answered"}
        wrong = [f"{question.server}: {answer}" for question, answer in answers.items() if answer != "answered"]
        if not wrong or monotonic() > deadline:
            return wrong, len(questions)


def _questions(cluster: Cluster) -> tuple[DnsQuestion, ...]:
    """
    Return one question for each address of DNS: the Service's, and those of its pods that are ready and not on their
    way out.
    """
    service = cluster.get("/api/v1/namespaces/kube-system/services/kube-dns")
    pods = cluster.list("/api/v1/namespaces/kube-system/pods", labels="k8s-app=kube-dns")
    serving = [pod for pod in pods if holds(pod, "Ready") and "deletionTimestamp" not in pod["metadata"]]
    own = (address["ip"] for pod in serving for address in pod["status"].get("podIPs", ()))
    return tuple(DnsQuestion(server, API_NAME) for server in dict.fromkeys((*service["spec"]["clusterIPs"], *own)))
