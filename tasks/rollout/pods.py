"""The pods of an object, of its newest version alone, and the last lines of a container."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from model.errors import KubernetesError
from model.kubernetes.manifests import Manifest
from model.rollout.rendered import pod_template
from model.rollout.trouble import Trouble

if TYPE_CHECKING:
    from remote.kube import Cluster

_LINES = 8
_REVISION = "deployment.kubernetes.io/revision"
_GENERATION = "deprecated.daemonset.template.generation"
# What kubelet answers instead of lines where the container's log is gone.
_NO_LOG = "unable to retrieve container logs"


def newest_pods(cluster: Cluster, live: Manifest) -> list[Manifest]:
    """Return an object's pods that are there to stay: of its newest version, and not being deleted."""
    selector = pod_labels(live)
    if not selector:
        return []
    path = f"/api/v1/namespaces/{live['metadata']['namespace']}/pods"
    pods = [pod for pod in cluster.list(path, labels=selector) if not pod["metadata"].get("deletionTimestamp")]
    version = _version_label(cluster, live, selector)
    return [pod for pod in pods if not version or pod["metadata"].get("labels", {}).get(version[0]) == version[1]]


def pod_labels(live: Manifest) -> str:
    """Return the selector of an object's pods; empty where it has none."""
    if live["kind"] == "Cluster":
        return f"cnpg.io/cluster={live['metadata']['name']}"
    if live["kind"] == "Job":
        return f"batch.kubernetes.io/job-name={live['metadata']['name']}"
    if pod_template(live) is None or live["kind"] == "CronJob":
        return ""
    labels = ((live.get("spec") or {}).get("selector") or {}).get("matchLabels") or live["metadata"].get("labels") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _version_label(cluster: Cluster, live: Manifest, selector: str) -> tuple[str, str] | None:
    """Return the label by which pods of the newest version are known, None where a kind has no versions."""
    meta, status = live["metadata"], live.get("status") or {}
    if live["kind"] == "StatefulSet" and status.get("updateRevision"):
        return "controller-revision-hash", status["updateRevision"]
    if live["kind"] == "DaemonSet" and _GENERATION in meta.get("annotations", {}):
        return "pod-template-generation", meta["annotations"][_GENERATION]
    if live["kind"] == "Deployment":
        revision = meta.get("annotations", {}).get(_REVISION)
        path = f"/apis/apps/v1/namespaces/{meta['namespace']}/replicasets"
        for replica_set in cluster.list(path, labels=selector):
            its = replica_set["metadata"]
            if revision and its.get("annotations", {}).get(_REVISION) == revision:
                return "pod-template-hash", its.get("labels", {}).get("pod-template-hash", "")
    return None


def last_lines(cluster: Cluster, troubles: Sequence[Trouble]) -> tuple[str, ...]:
    """Return the last lines of the container that the first trouble with one names, of its former run before this."""
    trouble = next((trouble for trouble in troubles if trouble.pod and trouble.container), None)
    if trouble is None:
        return ()
    path = f"/api/v1/namespaces/{trouble.namespace}/pods/{trouble.pod}/log"
    for previous in ("true", ""):
        query = {"container": trouble.container, "tailLines": str(_LINES), "previous": previous}
        try:
            lines = tuple(cluster.text(path, query).splitlines())
        except KubernetesError:
            continue
        if lines and not lines[0].startswith(_NO_LOG):
            return lines
    return ()
