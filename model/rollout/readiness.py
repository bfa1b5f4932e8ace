"""Whether an object has become what it should be, by the rules of its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from model.kubernetes.manifests import Manifest, condition, holds


@dataclass(frozen=True, slots=True)
class Readiness:
    """
    `why` says what is missing, `next_step` what is to be done where the kind tells; `hopeless` where no time will mend
    it.
    """

    ready: bool
    why: str = ""
    hopeless: bool = False
    next_step: str = ""


READY = Readiness(True)
# Kinds whose controllers always say whether they are ready: one that says nothing has not looked yet.
_SAY_READY = frozenset(
    {
        ("cert-manager.io", "Certificate"),
        ("cert-manager.io", "Issuer"),
        ("cert-manager.io", "ClusterIssuer"),
        ("cert-manager.io", "CertificateRequest"),
    }
)

_SEES_NO_METRICS = (
    "does `kubectl get --raw /apis/metrics.k8s.io/v1beta1/nodes` answer? The component metrics-server brings that API "
    "(`features.autoscaling` in site.yaml)"
)

# What an operator makes, and pods of the same component fall over without: no pod begins before these are ready.
_PODS_NEED = frozenset({("postgresql.cnpg.io", "Database"), ("postgresql.cnpg.io", "DatabaseRole")})


def pods_need(manifest: Manifest) -> bool:
    """Tell whether an object must be ready before the pods that come with it."""
    return (manifest["apiVersion"].rpartition("/")[0], manifest["kind"]) in _PODS_NEED


def readiness(live: Manifest) -> Readiness:
    """Judge an object as it is in the cluster."""
    meta, status = live["metadata"], live.get("status") or {}
    if meta.get("deletionTimestamp"):
        waits = ", ".join(meta.get("finalizers") or ()) or "its dependents"
        return Readiness(False, f"is being deleted and waits for {waits}")
    seen = status.get("observedGeneration")
    if isinstance(seen, int) and seen < meta.get("generation", 0):
        return Readiness(False, "its controller has not looked at its newest version yet")
    group = live["apiVersion"].rpartition("/")[0]
    judge = _KINDS.get((group, live["kind"]), _by_conditions)
    return judge(live)


def _deployment(live: Manifest) -> Readiness:
    spec, status = live["spec"], live.get("status") or {}
    wanted = spec.get("replicas", 1)
    progressing = condition(live, "Progressing")
    if holds(live, "ReplicaFailure"):
        failure = condition(live, "ReplicaFailure")
        return Readiness(False, f"{failure.get('reason', '')}: {failure.get('message', '')}")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Readiness(False, progressing.get("message", "its deadline has passed"))
    if "observedGeneration" not in status:
        return Readiness(False, "its controller has not looked at it yet")
    return _counted(
        ("updated", status.get("updatedReplicas", 0), wanted),
        ("ready", status.get("readyReplicas", 0), wanted),
        ("available", status.get("availableReplicas", 0), wanted),
        ("old ones left", wanted, status.get("replicas", 0)),
    )


def _stateful_set(live: Manifest) -> Readiness:
    spec, status = live["spec"], live.get("status") or {}
    wanted = spec.get("replicas", 1)
    if "observedGeneration" not in status:
        return Readiness(False, "its controller has not looked at it yet")
    strategy = spec.get("updateStrategy") or {}
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    new = wanted if strategy.get("type") == "OnDelete" else status.get("updatedReplicas", 0)
    if not partition and strategy.get("type") != "OnDelete" and wanted:
        new = wanted if status.get("updateRevision") == status.get("currentRevision") else new
    return _counted(
        ("created", status.get("replicas", 0), wanted),
        ("updated", new, wanted - partition),
        ("ready", status.get("readyReplicas", 0), wanted),
    )


def _daemon_set(live: Manifest) -> Readiness:
    status = live.get("status") or {}
    if "observedGeneration" not in status:
        return Readiness(False, "its controller has not looked at it yet")
    wanted = status.get("desiredNumberScheduled", 0)
    if not wanted:
        return Readiness(False, "no node takes its pods")
    return _counted(
        ("updated", status.get("updatedNumberScheduled", 0), wanted),
        ("ready", status.get("numberReady", 0), wanted),
        ("available", status.get("numberAvailable", 0), wanted),
    )


def _counted(*counts: tuple[str, int, int]) -> Readiness:
    for word, number, wanted in counts:
        if number < wanted:
            return Readiness(False, f"{wanted} wanted, {number} of them {word}" if word != "old ones left" else word)
    return READY


def _job(live: Manifest) -> Readiness:
    if holds(live, "Failed"):
        failed = condition(live, "Failed")
        return Readiness(False, f"failed: {failed.get('reason', '')}: {failed.get('message', '')}", hopeless=True)
    return READY if holds(live, "Complete") else Readiness(False, "has not ended yet")


def _pod(live: Manifest) -> Readiness:
    phase = (live.get("status") or {}).get("phase", "Pending")
    if phase == "Failed":
        return Readiness(False, "its containers failed", hopeless=True)
    return READY if phase == "Succeeded" or holds(live, "Ready") else Readiness(False, f"{phase}, not ready")


def _claim(live: Manifest) -> Readiness:
    phase = (live.get("status") or {}).get("phase", "Pending")
    return READY if phase == "Bound" else Readiness(False, f"{phase}: no volume is bound to it", phase == "Lost")


def _namespace(live: Manifest) -> Readiness:
    phase = (live.get("status") or {}).get("phase", "")
    return READY if phase == "Active" else Readiness(False, phase or "not active yet")


def _service(live: Manifest) -> Readiness:
    if live["spec"].get("type") != "LoadBalancer":
        return READY
    given = ((live.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    return READY if given else Readiness(False, "no balancer has given it an address")


def _definition(live: Manifest) -> Readiness:
    if condition(live, "NamesAccepted").get("status") == "False":
        return Readiness(False, condition(live, "NamesAccepted").get("message", "names refused"), hopeless=True)
    return READY if holds(live, "Established") else Readiness(False, "its kind is not served yet")


def _database(live: Manifest) -> Readiness:
    status, wanted = live.get("status") or {}, live["spec"].get("instances", 1)
    ready, phase = status.get("readyInstances", 0), status.get("phase", "its operator has not looked at it yet")
    if phase != "Cluster in healthy state" or ready != wanted:
        return Readiness(False, f"{ready} of {wanted} instances ready: {phase}")
    return READY


def _in_database(live: Manifest) -> Readiness:
    status = live.get("status") or {}
    if "observedGeneration" not in status:
        return Readiness(False, "its operator has not looked at it yet")
    return READY if status.get("applied") else Readiness(False, str(status.get("message", "not made yet")))


def _proxy(live: Manifest) -> Readiness:
    status = live.get("status") or {}
    newest = live["metadata"].get("generation", 0)
    if condition(live, "Valid").get("observedGeneration", newest) < newest:
        return Readiness(False, "its controller has not looked at its newest version yet")
    word = status.get("currentStatus", "no controller has looked at it yet")
    return READY if word == "valid" else Readiness(False, f"{word}: {status.get('description', '')}".rstrip(": "))


def _autoscaler(live: Manifest) -> Readiness:
    able, active = condition(live, "AbleToScale"), condition(live, "ScalingActive")
    if not able and not active:
        return Readiness(False, "its controller has not looked at it yet")
    if able.get("status") == "False":
        return Readiness(False, _words(able))
    if not active:
        return Readiness(False, "its controller has not looked at its metrics yet", next_step=_SEES_NO_METRICS)
    # Where no pod is wanted there is nothing to scale.
    if active["status"] == "True" or active.get("reason") == "ScalingDisabled":
        return READY
    step = _SEES_NO_METRICS if str(active.get("reason", "")).startswith("FailedGet") else ""
    return Readiness(False, _words(active), next_step=step)


def _by_conditions(live: Manifest) -> Readiness:
    for bad in ("Stalled", "Failed"):
        if holds(live, bad):
            return Readiness(False, f"{bad}: {condition(live, bad).get('message', '')}")
    said = condition(live, "Ready")
    group = live["apiVersion"].rpartition("/")[0]
    if not said:
        silent = (group, live["kind"]) in _SAY_READY
        return Readiness(False, "its controller has not looked at it yet") if silent else READY
    if said.get("observedGeneration", 0) and said["observedGeneration"] < live["metadata"].get("generation", 0):
        return Readiness(False, "its controller has not looked at its newest version yet")
    return READY if said["status"] == "True" else Readiness(False, _words(said))


def _words(said: Mapping[str, Any]) -> str:
    return ": ".join(filter(None, (str(said.get("reason", "")), str(said.get("message", ""))))) or "not ready"


def _available(live: Manifest) -> Readiness:
    said: Mapping[str, Any] = condition(live, "Available")
    return READY if said.get("status") == "True" else Readiness(False, said.get("message", "not available yet"))


_KINDS: Mapping[tuple[str, str], Callable[[Manifest], Readiness]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Namespace"): _namespace,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apiregistration.k8s.io", "APIService"): _available,
    ("postgresql.cnpg.io", "Cluster"): _database,
    ("postgresql.cnpg.io", "Database"): _in_database,
    ("postgresql.cnpg.io", "DatabaseRole"): _in_database,
    ("projectcontour.io", "HTTPProxy"): _proxy,
}
