"""Take the work off a node: no new pods, the ones there moved elsewhere in an order that keeps services up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from model.errors import HostError, KubernetesError, ObjectMissing

if TYPE_CHECKING:
    from remote.kube import Cluster

SECONDS = 300.0
_PAUSE = 0.5
_MIRROR = "kubernetes.io/config.mirror"
# A budget allows no eviction just now, or the server was not to be reached: asked again.
_PASSING = frozenset({0, 429, 500, 503, 504})


def cordon(cluster: Cluster, node: str, closed: bool = True) -> bool:
    """Close a node to new pods, or open it again; False where it was so, or is not there."""
    path = f"/api/v1/nodes/{node}"
    found = cluster.find(path)
    if found is None or bool(found.get("spec", {}).get("unschedulable", False)) == closed:
        return False
    cluster.patch(path, {"spec": {"unschedulable": True if closed else None}})
    return True


def drain(cluster: Cluster, node: str, seconds: float = SECONDS) -> int:
    """
    Close a node and evict its pods, respecting disruption budgets; return how many went.

    Pods of DaemonSets and static ones stay. Raises `HostError` naming pods that did not go in time.
    """
    cordon(cluster, node)
    deadline = time.monotonic() + seconds
    asked: set[str] = set()
    while True:
        left = evictable(pods_on(cluster, node))
        if not left:
            return len(asked)
        refusals = [words for pod in left if (words := _evict(cluster, pod, asked))]
        if time.monotonic() > deadline:
            names = ", ".join(sorted(map(name_of, left)))
            why = f" ({refusals[0]})" if refusals else ""
            step = f"look at its budget and its finalizers: kubectl get pods -A --field-selector spec.nodeName={node}"
            raise HostError(node, f"pods did not leave within {seconds:g} s: {names}{why}", step)
        threading.Event().wait(_PAUSE)


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
    """Delete a Node object; what was bound to it is collected by the cluster. False where there was none."""
    return cluster.delete(f"/api/v1/nodes/{node}")


def _evict(cluster: Cluster, pod: Any, asked: set[str]) -> str:
    """Ask for one eviction; return why it is refused just now, empty where it is under way."""
    meta = pod["metadata"]
    if "deletionTimestamp" in meta:
        asked.add(meta["uid"])
        return ""
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
    }
    try:
        cluster.create(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/eviction", eviction)
    except ObjectMissing:
        return ""
    except KubernetesError as error:
        if error.status not in _PASSING:
            raise
        return error.message
    asked.add(meta["uid"])
    return ""
