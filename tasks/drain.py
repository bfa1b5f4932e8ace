"""Take the work off a node: no new pods, the ones there moved elsewhere in an order that keeps services up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from model.errors import HostError, KubernetesError, ObjectMissing
from model.kubernetes.manifests import holds

if TYPE_CHECKING:
    from remote.kube import Cluster

SECONDS = 300.0
_PAUSE = 0.5
_FELLOW_SECONDS = 60.0
_KEEPERS = {"ReplicaSet": "replicasets", "StatefulSet": "statefulsets"}
_MIRROR = "kubernetes.io/config.mirror"
# A budget allows no eviction just now, or the server was not to be reached: asked again.
_PASSING = frozenset({0, 429, 500, 503, 504})


def cordon(cluster: Cluster, node: str, closed: bool = True) -> bool:
    """Close a node to new pods, or open it again; False where it was so, or is not there."""
    path = f"/api/v1/nodes/{node}"
    current = cluster.find(path)
    if current is None or bool(current.get("spec", {}).get("unschedulable", False)) == closed:
        return False
    cluster.patch(path, {"spec": {"unschedulable": True if closed else None}})
    return True


def drain(cluster: Cluster, node: str, seconds: float = SECONDS) -> int:
    """
    Close a node and evict its pods, respecting disruption budgets; return how many went.

    Of the pods that one ReplicaSet or StatefulSet keeps, the next goes when the one before has its substitute, budget
    or not. Pods of DaemonSets and static ones stay. Raises `HostError` naming pods that did not go in time.
    """
    cordon(cluster, node)
    deadline = time.monotonic() + seconds
    eviction = _Eviction(cluster)
    while left := evictable(pods_on(cluster, node)):
        refusals = [words for pod in left if (words := eviction.ask(pod))]
        if time.monotonic() > deadline:
            names = ", ".join(sorted(map(name_of, left)))
            why = f" ({refusals[0]})" if refusals else ""
            step = f"look at its budget and its finalizers: kubectl get pods -A --field-selector spec.nodeName={node}"
            raise HostError(node, f"pods did not leave within {seconds:g} s: {names}{why}", step)
        threading.Event().wait(_PAUSE)
    return len(eviction.asked)


def pods_on(cluster: Cluster, node: str) -> list[Any]:
    """Return every pod that is bound to a node."""
    return cluster.list("/api/v1/pods", fields=f"spec.nodeName={node}")


def evictable(pods: Iterable[Any]) -> list[Any]:
    """Return those that have to move: neither static, nor a DaemonSet's, nor ended."""
    return [
        pod
        for pod in pods
        if _MIRROR not in pod["metadata"].get("annotations", {})
        and not any(owner["kind"] == "DaemonSet" for owner in pod["metadata"].get("ownerReferences", ()))
        and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
    ]


def orphans(pods: Iterable[Any]) -> list[str]:
    """Name the pods that nobody would start again elsewhere."""
    return sorted(name_of(pod) for pod in evictable(pods) if not pod["metadata"].get("ownerReferences"))


def name_of(pod: Any) -> str:
    """Return a pod's namespace and name."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def delete_node(cluster: Cluster, node: str) -> bool:
    """
    Delete a Node object and the pods bound to it; False where there was no such node.

    The cluster would collect the pods only after a while, and take them for running ones of a node that comes back
    under the name.
    """
    gone = cluster.delete(f"/api/v1/nodes/{node}")
    for pod in pods_on(cluster, node):
        meta = pod["metadata"]
        cluster.delete(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}", at_once=True)
    return gone


class _Eviction:
    """The evictions of one drain."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._waited: dict[str, float] = {}
        self.asked: set[str] = set()

    def ask(self, pod: Any) -> str:
        """Ask for one eviction; return why it has to wait, empty where it is under way."""
        meta = pod["metadata"]
        if "deletionTimestamp" in meta:
            self.asked.add(meta["uid"])
            return ""
        if not self._spared(pod):
            return f"{name_of(pod)} waits for its fellow's substitute"
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
        }
        try:
            self._cluster.create(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/eviction", eviction)
        except ObjectMissing:
            return ""
        except KubernetesError as error:
            if error.status not in _PASSING:
                raise
            return error.message
        self.asked.add(meta["uid"])
        return ""

    def _spared(self, pod: Any) -> bool:
        """Return whether the others that its owner keeps are all ready; who never is holds up nobody for long."""
        owner = next(
            (reference for reference in pod["metadata"].get("ownerReferences", ()) if reference["kind"] in _KEEPERS),
            None,
        )
        if owner is None:
            return True
        namespace = pod["metadata"]["namespace"]
        keeper = self._cluster.find(f"/apis/apps/v1/namespaces/{namespace}/{_KEEPERS[owner['kind']]}/{owner['name']}")
        wanted = (keeper or {}).get("spec", {}).get("replicas", 1)
        pods = self._cluster.list(f"/api/v1/namespaces/{namespace}/pods") if wanted > 1 else []
        if wanted < 2 or sum(_serves(fellow, owner["uid"]) for fellow in pods) >= wanted:
            self._waited.pop(owner["uid"], None)
            return True
        began = self._waited.setdefault(owner["uid"], time.monotonic())
        if time.monotonic() - began < _FELLOW_SECONDS:
            return False
        self._waited.pop(owner["uid"])
        return True


def _serves(pod: Any, owner: str) -> bool:
    meta = pod["metadata"]
    if "deletionTimestamp" in meta or all(reference["uid"] != owner for reference in meta.get("ownerReferences", ())):
        return False
    return holds(pod, "Ready")
