"""Which nodes have no probe pod that serves, and why it does not come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from model.kubernetes.condition import read_conditions
from model.kubernetes.manifests import Manifest, condition, holds
from model.kubernetes.node_conditions import judge


def absent(names: Sequence[str], pods: Sequence[Manifest], nodes: Iterable[Manifest]) -> dict[str, str]:
    """Return the nodes without a probe pod that is ready, and why: the word of the node before that of its pod."""
    serving = {_place(pod) for pod in pods if holds(pod, "Ready") and "deletionTimestamp" not in pod["metadata"]}
    hampered = obstacles(nodes)
    return {
        name: hampered.get(name) or _of_pods([pod for pod in pods if _place(pod) == name])
        for name in names
        if name not in serving
    }


def obstacles(nodes: Iterable[Manifest]) -> dict[str, str]:
    """Return the nodes of which a condition keeps pods away, with it in words: no wait helps while it holds."""
    found = {node["metadata"]["name"]: judge(read_conditions(node.get("status") or {})).wrong for node in nodes}
    return {name: f"condition of the node: {'; '.join(wrong)}" for name, wrong in found.items() if wrong}


def _place(pod: Manifest) -> str:
    """Return the node that a pod is on, or is meant for: a DaemonSet names it before the scheduler does."""
    spec = pod.get("spec") or {}
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED) or {}
    fields = [field for term in affinity.get("nodeSelectorTerms") or () for field in term.get("matchFields") or ()]
    return next((str(field["values"][0]) for field in fields if field.get("key") == "metadata.name"), "")


_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def _of_pods(pods: Sequence[Manifest]) -> str:
    reasons = [words for pod in pods if (words := _of_pod(pod))]
    return reasons[-1] if reasons else "nothing is said of a pod for it yet"


def _of_pod(pod: Manifest) -> str:
    status: Mapping[str, object] = pod.get("status") or {}
    if status.get("phase") == "Failed" or status.get("reason"):
        return _joined(str(status.get("reason") or "it failed"), str(status.get("message") or ""))
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting:
            return _joined(str(waiting.get("reason", "")), str(waiting.get("message", "")))
    scheduled, ready = condition(pod, "PodScheduled"), condition(pod, "Ready")
    if scheduled.get("status") == "False":
        return _joined(str(scheduled.get("reason", "")), str(scheduled.get("message", "")))
    return _joined(str(ready.get("reason", "")), str(ready.get("message", "")))


def _joined(reason: str, message: str) -> str:
    return ": ".join(word for word in (reason, message.strip()) if word)
