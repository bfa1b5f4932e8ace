"""What a node's own conditions say of it: each of them judged, and what nobody here can judge named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model.kubernetes.cluster import Node
from model.kubernetes.condition import NodeCondition

# What kubelet says of every node, and how it is on one that is well.
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")
# The pod network's word, which some of them never say.
NETWORK = "NetworkUnavailable"
# What node-problem-detector says of itself of nodes: each is a trouble where it is True.
_TROUBLES = (
    *("KernelDeadlock", "ReadonlyFilesystem", "CorruptDockerOverlay2", "FrequentUnregisterNetDevice"),
    *("FrequentKubeletRestart", "FrequentDockerRestart", "FrequentContainerdRestart", "KubeletUnhealthy"),
    *("ContainerRuntimeUnhealthy", "KubeletProblem", "CperHardwareErrorFatal", "XfsShutdown"),
)
_BAD_WHERE_TRUE = (*PRESSURES, NETWORK, *_TROUBLES)
# The taints that follow from conditions, by their keys: the cluster sets and removes them by itself.
_TAINTS = {
    "node.kubernetes.io/not-ready": "Ready",
    "node.kubernetes.io/unreachable": "Ready",
    "node.kubernetes.io/memory-pressure": "MemoryPressure",
    "node.kubernetes.io/disk-pressure": "DiskPressure",
    "node.kubernetes.io/pid-pressure": "PIDPressure",
    "node.kubernetes.io/network-unavailable": NETWORK,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionVerdict:
    """
    What the conditions of a node come to: `wrong` is known to be bad, `unknown` is what nobody can tell, `strange` are
    conditions of which this program knows no meaning.
    """

    wrong: tuple[str, ...]
    unknown: tuple[str, ...]
    strange: tuple[str, ...]


def judge(conditions: Sequence[NodeCondition]) -> ConditionVerdict:
    """
    Judge every condition of a node; a node of whose readiness the cluster does not know tells nothing else either, and
    that one cause is told once.
    """
    known = {condition.kind: condition for condition in conditions}
    ready = known.get("Ready")
    silent = ready is None or ready.status == "Unknown"
    others = [condition for condition in conditions if condition.kind != "Ready"]
    wrong = [_words(entry) for entry in others if entry.kind in _BAD_WHERE_TRUE and entry.status == "True"]
    unknown = [f"it says nothing of {kind}" for kind in PRESSURES if kind not in known]
    unknown += [str(entry) for entry in others if entry.status not in ("True", "False")]
    strange = [f"{entry.kind} {entry.status}" for entry in others if entry.kind not in _BAD_WHERE_TRUE]
    return ConditionVerdict(
        wrong=(*_unready(ready), *wrong), unknown=() if silent else tuple(unknown), strange=tuple(strange)
    )


def _unready(ready: NodeCondition | None) -> Iterator[str]:
    if ready is None:
        yield "is not ready: it has said nothing yet"
    elif ready.status != "True":
        yield f"is not ready: {ready.message or f'Ready is {ready.status}'}"


def _words(condition: NodeCondition) -> str:
    return f"its pod network is not up: {condition}" if condition.kind == NETWORK else str(condition)


def of_conditions(node: Node) -> tuple[str, ...]:
    """Return the taints of a node that the cluster has set for a condition that is bad, which is their cause."""
    status = {condition.kind: condition.status for condition in node.conditions}
    return tuple(
        str(taint)
        for taint in node.taints
        if (kind := _TAINTS.get(taint.key)) and status.get(kind) != ("True" if kind == "Ready" else "False")
    )


def left_over(node: Node) -> tuple[str, ...]:
    """Return taints of conditions that are well again: they keep pods away, and nothing explains them any more."""
    explained = of_conditions(node)
    return tuple(str(taint) for taint in node.taints if taint.key in _TAINTS and str(taint) not in explained)
