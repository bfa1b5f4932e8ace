"""Are all workloads complete and all pods ready, and not merely running?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from model.kubernetes.manifests import Manifest, name_of
from model.report.outcome import Status
from model.rollout.graph import active
from model.rollout.readiness import readiness
from model.rollout.trouble import troubles
from model.site.site import Site
from remote.gates.gate import GateContext, GateResult, concluded

WORKLOADS = ("deployments", "statefulsets", "daemonsets")
# A container that came back more often than this, and lately, is not well even while it runs.
_RESTARTS = 3
RUNNING = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
AUTOSCALER = "HorizontalPodAutoscaler"
_LATELY = timedelta(minutes=10)
_NEXT = "`kubectl describe` what is named, and read its log"


def run(context: GateContext) -> GateResult:
    """Look at every namespace of the application."""
    workloads: list[Manifest] = []
    scalers: list[Manifest] = []
    pods: list[Manifest] = []
    for namespace in namespaces(context.site):
        scalers += autoscalers(context, namespace)
        pods += context.cluster.list(f"/api/v1/namespaces/{namespace}/pods")
        for kind in WORKLOADS:
            workloads += context.cluster.list(f"/apis/apps/v1/namespaces/{namespace}/{kind}")
    wanted = expected(context, {*RUNNING, AUTOSCALER})
    return judged(workloads, pods, wanted, datetime.now(UTC), scalers)


def autoscalers(context: GateContext, namespace: str) -> list[Manifest]:
    """Return the autoscalers of a namespace."""
    return context.cluster.list(f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers")


def namespaces(site: Site) -> tuple[str, ...]:
    """Return the namespaces that the site's components live in."""
    return tuple(dict.fromkeys(component.namespace for component in active(site) if component.namespace))


def expected(context: GateContext, kinds: Collection[str] = RUNNING) -> tuple[str, ...]:
    """Return the objects of these kinds that the site's components are made of, as they are rendered."""
    return tuple(
        name_of(manifest)
        for rendered in context.rendered
        for manifest in rendered.objects
        if manifest["kind"] in kinds and manifest["metadata"].get("namespace") in namespaces(context.site)
    )


def judged(
    workloads: Sequence[Manifest],
    pods: Sequence[Manifest],
    wanted: Sequence[str],
    now: datetime,
    scalers: Sequence[Manifest] = (),
) -> GateResult:
    """Return what workloads, their autoscalers and pods come to; a cluster without pods proves nothing."""
    if not pods:
        return GateResult(status=Status.UNPROVEN, why="no pod of the application was seen", next_step="roll it out")
    states = {name_of(manifest): readiness(manifest) for manifest in (*workloads, *scalers)}
    findings = [f"{name}: is not there" for name in wanted if name not in states]
    findings += [f"{name}: {state.why}" for name, state in states.items() if not state.ready]
    steps = [state.next_step for state in states.values() if not state.ready and state.next_step]
    findings += [finding for pod in pods for finding in _of_pod(pod, now)]
    restarts = sum(int(status.get("restartCount", 0)) for pod in pods for status in _containers(pod))
    counts = {"pods": len(pods), "workloads": len(workloads), "autoscalers": len(scalers), "restarts": restarts}
    proven = f"{len(workloads)} workloads have all their pods, and {len(pods)} pods are ready or have done their work"
    figures = {name: float(count) for name, count in counts.items()}
    return concluded(findings, proven, figures=figures, next_step="; ".join(dict.fromkeys((_NEXT, *steps))))


def _of_pod(pod: Manifest, now: datetime) -> Iterator[str]:
    state = readiness({"apiVersion": "v1", "kind": "Pod", **pod})
    name = name_of({**pod, "kind": "Pod"})
    if not state.ready and not _replaced(pod):
        known = "; ".join(trouble.line for trouble in troubles([pod], [], name))
        yield f"{name}: {known or state.why}"
    for status in _containers(pod):
        ended = ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
        restarts = int(status.get("restartCount", 0))
        if state.ready and ended and restarts >= _RESTARTS and now - datetime.fromisoformat(ended) < _LATELY:
            reason = status["lastState"]["terminated"].get("reason", "")
            yield f"{name}, container {status['name']}: started again {restarts} times, last at {ended} ({reason})"


def _replaced(pod: Manifest) -> bool:
    """Return whether a Job's pod failed: another one of the same Job is judged by the Job's end."""
    owners = pod["metadata"].get("ownerReferences") or ()
    return (pod.get("status") or {}).get("phase") == "Failed" and any(owner["kind"] == "Job" for owner in owners)


def _containers(pod: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    status = pod.get("status") or {}
    return (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
