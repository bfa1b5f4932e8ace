"""Serving certificates that kubelets ask for: approved where the site declares what they name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

from flows._cluster.cluster_run import ClusterRun
from flows._cluster.outcomes import would
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from model.report.outcome import Outcome, Status
from tasks import serving

if TYPE_CHECKING:
    from remote.kube import Cluster

_ASK_SECONDS = 150.0
_SERVE_SECONDS = 60.0
_PAUSE_SECONDS = 0.5


def certificates(cluster_run: ClusterRun, cluster: Cluster) -> Iterable[Outcome]:
    """
    Decide about what kubelets ask for until each has its certificate: one that has just joined may not have asked yet.
    """
    decided: dict[str, Outcome] = {}
    deadline = monotonic() + _SERVE_SECONDS
    without: dict[str, Outcome] = {}
    while True:
        for decision in serving.decide(cluster, cluster_run.site):
            if decision.name not in decided:
                decided[decision.name] = decide(cluster_run, cluster, decision)
        if cluster_run.dry_run:
            break
        refused = {outcome.host for outcome in decided.values() if outcome.status is Status.DRIFT}
        without = _without_certificate(cluster_run, [name for name in cluster_run.nodes if name not in refused])
        if not without or monotonic() > deadline:
            break
        Event().wait(_PAUSE_SECONDS)
    return (*decided.values(), *without.values())


def decide(cluster_run: ClusterRun, cluster: Cluster, decision: serving.Decision) -> Outcome:
    """Approve a request that nothing speaks against, and return what came of it."""
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
    answers = run_on_hosts(cluster_run.nr, serving.has_certificate, names=names, deadline=_ASK_SECONDS)
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
