"""Every process that shares a secret looked for, stopped, and seen to be gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from model.errors import PlanRefused
from model.kubernetes.manifests import Manifest
from model.rollout.sharers import Sharer
from tasks.rollout.live import inventories

if TYPE_CHECKING:
    from remote.kube import Cluster

# A process has a minute to end, and a node that is busy takes its time to say so.
SECONDS = 180.0
_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharersSeen:
    """The workloads that share a secret: those that are in the cluster, and those that the site alone declares."""

    there: tuple[Sharer, ...]
    absent: tuple[Sharer, ...]

    @property
    def lacking(self) -> str:
        """Those that are absent, for a person; empty where none is."""
        return f"not in the cluster: {', '.join(sharer.name for sharer in self.absent)}" if self.absent else ""


def look(cluster: Cluster, workloads: Sequence[Sharer]) -> SharersSeen:
    """
    Look which of these workloads are in the cluster; nothing is changed.

    Raises `PlanRefused` where none shares the secret, and where nothing of a component is there: it may run under
    another name, with the former value. Before the first rollout of all nothing can.
    """
    if not workloads:
        why = "no Deployment or StatefulSet that the site declares mounts it, so there is nothing to be stopped"
        raise PlanRefused(why, next_step="name another procedure in secrets.yaml")
    there, absent = list[Sharer](), list[Sharer]()
    for sharer in workloads:
        (absent if cluster.find(cluster.path(sharer.manifest)) is None else there).append(sharer)
    seen = SharersSeen(there=tuple(there), absent=tuple(absent))
    present = {sharer.component for sharer in there}
    unseen = tuple(dict.fromkeys(sharer.component for sharer in absent if sharer.component not in present))
    if unseen and inventories(cluster):
        why = f"nothing of {', '.join(unseen)} is there to be stopped, though the site declares it ({seen.lacking})"
        raise PlanRefused(why, next_step="python -m flows.rollout")
    return seen


def stop(cluster: Cluster, workloads: Sequence[Sharer], seconds: float = SECONDS) -> SharersSeen:
    """
    Let there be none of these workloads' pods, all at the same time; return which of them there were.

    The next rollout starts them as it declares. An autoscaler does not: of what load decides there are as few as it
    allows again in the end, which wait for the others. Raises `PlanRefused` as `look` does, before anything is stopped,
    and `WaitExpired` where a pod stays.
    """
    seen = look(cluster, workloads)
    empty(cluster, [sharer.manifest for sharer in seen.there], seconds)
    for sharer in seen.there:
        if sharer.least is not None:
            _scale(cluster, sharer.manifest, sharer.least)
    return seen


def empty(cluster: Cluster, workloads: Sequence[Manifest], seconds: float = SECONDS) -> None:
    """
    Let there be none of these workloads' pods, all at the same time, until they are applied again.

    Raises `WaitExpired` where a pod stays.
    """
    for workload in workloads:
        _scale(cluster, workload, 0)
    for namespace in dict.fromkeys(workload["metadata"]["namespace"] for workload in workloads):
        labels = [
            workload["spec"]["selector"]["matchLabels"]
            for workload in workloads
            if workload["metadata"]["namespace"] == namespace
        ]
        path = f"/api/v1/namespaces/{namespace}/pods"
        cluster.wait(path, partial(_gone, labels), "every process to be gone", seconds)


def renumbered(cluster: Cluster, workloads: Sequence[Manifest]) -> list[Manifest]:
    """
    Return, as they are in the cluster, those of these workloads that run in another number than is declared; one of
    which nothing is declared but its name is to have none.
    """
    found = []
    for workload in workloads:
        wanted = workload["spec"].get("replicas", 1) if "spec" in workload else 0
        live = cluster.find(cluster.path(workload))
        if live is not None and live["spec"].get("replicas", 1) != wanted:
            found.append(live)
    return found


def _scale(cluster: Cluster, workload: Manifest, count: int) -> None:
    cluster.patch(cluster.path(workload), {"spec": {"replicas": count}})


def _gone(selectors: Sequence[dict[str, str]], pods: Sequence[Manifest]) -> bool:
    return not _of(pods, selectors)


def _of(pods: Sequence[Manifest], selectors: Iterable[dict[str, str]]) -> list[str]:
    return [
        str(pod["metadata"]["name"])
        for pod in pods
        if pod.get("status", {}).get("phase") not in _ENDED
        and any(labels.items() <= (pod["metadata"].get("labels") or {}).items() for labels in selectors)
    ]
