"""An object is ready when its kind's own rules say so, and not because nobody has said anything yet."""

from __future__ import annotations

from typing import Any

import pytest

from model.rollout.readiness import readiness

Manifest = dict[str, Any]


def thing(api: str, kind: str, spec: Manifest | None = None, **status: Any) -> Manifest:
    meta = {"name": "a", "namespace": "n", "generation": 2}
    return {"apiVersion": api, "kind": kind, "metadata": meta, "spec": spec or {}, "status": status}


def said(kind: str, status: str = "True", **more: Any) -> Manifest:
    return {"type": kind, "status": status} | more


OLD: Manifest = {"currentRevision": "a", "updatedReplicas": 1}
FULL: Manifest = {
    "observedGeneration": 2,
    "replicas": 2,
    "updatedReplicas": 2,
    "readyReplicas": 2,
    "availableReplicas": 2,
}
TWO: Manifest = {"replicas": 2}
DAEMONS: Manifest = {
    "observedGeneration": 2,
    "desiredNumberScheduled": 3,
    "updatedNumberScheduled": 3,
    "numberReady": 3,
    "numberAvailable": 3,
}
SET: Manifest = {**FULL, "currentRevision": "b", "updateRevision": "b"}
HEALTHY: Manifest = {"phase": "Cluster in healthy state", "readyInstances": 3}
ABLE = said("AbleToScale", reason="ReadyForNewScale")
ACTIVE = said("ScalingActive")
BLIND = said("ScalingActive", "False", reason="FailedGetResourceMetric", message="no metrics returned")
NO_POD_WANTED = said("ScalingActive", "False", reason="ScalingDisabled")

GOOD = [
    thing("apps/v1", "Deployment", TWO, **FULL),
    thing("apps/v1", "Deployment", {"replicas": 0}, observedGeneration=2),
    thing("apps/v1", "StatefulSet", TWO, **SET),
    thing("apps/v1", "StatefulSet", {**TWO, "updateStrategy": {"type": "OnDelete"}}, **(SET | {"updatedReplicas": 0})),
    thing("apps/v1", "DaemonSet", **DAEMONS),
    thing("batch/v1", "Job", conditions=[said("Complete")]),
    thing("v1", "Pod", conditions=[said("Ready")], phase="Running"),
    thing("v1", "Pod", phase="Succeeded"),
    thing("v1", "PersistentVolumeClaim", phase="Bound"),
    thing("v1", "Service", {"type": "ClusterIP"}),
    thing("v1", "Service", {"type": "LoadBalancer"}, loadBalancer={"ingress": [{"ip": "192.0.2.1"}]}),
    thing("v1", "Namespace", phase="Active"),
    thing("v1", "ConfigMap"),
    thing("apiextensions.k8s.io/v1", "CustomResourceDefinition", conditions=[said("Established")]),
    thing("postgresql.cnpg.io/v1", "Cluster", {"instances": 3}, **HEALTHY),
    thing("postgresql.cnpg.io/v1", "Database", observedGeneration=2, applied=True),
    thing("cert-manager.io/v1", "Certificate", conditions=[said("Ready", observedGeneration=2)]),
    thing("projectcontour.io/v1", "HTTPProxy", currentStatus="valid"),
    thing("x.test/v1", "Thing", conditions=[said("Ready")]),
    thing("autoscaling/v2", "HorizontalPodAutoscaler", conditions=[ABLE, ACTIVE]),
    thing(
        "autoscaling/v2", "HorizontalPodAutoscaler", conditions=[ABLE, said("ScalingActive"), said("ScalingLimited")]
    ),
    thing("autoscaling/v2", "HorizontalPodAutoscaler", conditions=[ABLE, NO_POD_WANTED]),
]
BAD = [
    (
        thing(
            "projectcontour.io/v1", "HTTPProxy", currentStatus="valid", conditions=[said("Valid", observedGeneration=1)]
        ),
        "newest version",
    ),
    (thing("postgresql.cnpg.io/v1", "Database"), "has not looked at it"),
    (thing("postgresql.cnpg.io/v1", "Database", observedGeneration=1, applied=True), "newest version"),
    (thing("postgresql.cnpg.io/v1", "DatabaseRole", observedGeneration=2, applied=False, message="no owner"), "owner"),
    (thing("apps/v1", "Deployment", TWO), "has not looked at it"),
    (thing("apps/v1", "Deployment", TWO, **(FULL | {"observedGeneration": 1})), "newest version"),
    (thing("apps/v1", "Deployment", TWO, **(FULL | {"updatedReplicas": 1})), "2 wanted, 1 of them updated"),
    (thing("apps/v1", "Deployment", TWO, **(FULL | {"readyReplicas": 0})), "2 wanted, 0 of them ready"),
    (thing("apps/v1", "Deployment", TWO, **(FULL | {"availableReplicas": 1})), "1 of them available"),
    (thing("apps/v1", "Deployment", TWO, **(FULL | {"replicas": 3})), "old ones left"),
    (
        thing("apps/v1", "Deployment", TWO, **FULL, conditions=[said("ReplicaFailure", message="exceeded quota")]),
        "exceeded quota",
    ),
    (
        thing(
            "apps/v1",
            "Deployment",
            TWO,
            **FULL,
            conditions=[said("Progressing", "False", reason="ProgressDeadlineExceeded", message="timed out")],
        ),
        "timed out",
    ),
    (thing("apps/v1", "StatefulSet", TWO), "has not looked at it"),
    (
        thing("apps/v1", "StatefulSet", TWO, **(SET | OLD)),
        "1 of them updated",
    ),
    (thing("apps/v1", "StatefulSet", TWO, **(SET | {"readyReplicas": 1})), "1 of them ready"),
    (thing("apps/v1", "StatefulSet", TWO, **(SET | {"replicas": 1})), "1 of them created"),
    (thing("apps/v1", "DaemonSet"), "has not looked at it"),
    (thing("apps/v1", "DaemonSet", observedGeneration=2), "no node takes its pods"),
    (thing("apps/v1", "DaemonSet", **(DAEMONS | {"numberReady": 2})), "2 of them ready"),
    (thing("batch/v1", "Job"), "has not ended"),
    (thing("v1", "Pod", phase="Running"), "not ready"),
    (thing("v1", "PersistentVolumeClaim", phase="Pending"), "no volume is bound"),
    (thing("v1", "Service", {"type": "LoadBalancer"}), "no balancer"),
    (thing("v1", "Namespace", phase="Terminating"), "Terminating"),
    (thing("apiextensions.k8s.io/v1", "CustomResourceDefinition", conditions=None), "not served yet"),
    (thing("postgresql.cnpg.io/v1", "Cluster", {"instances": 3}), "0 of 3 instances ready"),
    (thing("postgresql.cnpg.io/v1", "Cluster", {"instances": 3}, **(HEALTHY | {"readyInstances": 2})), "2 of 3"),
    (thing("postgresql.cnpg.io/v1", "Cluster", {"instances": 3}, **(HEALTHY | {"phase": "Failing over"})), "Failing"),
    (thing("cert-manager.io/v1", "Certificate"), "has not looked at it"),
    (thing("cert-manager.io/v1", "Certificate", conditions=[said("Ready", observedGeneration=1)]), "newest version"),
    (thing("cert-manager.io/v1", "Certificate", conditions=[said("Ready", "False", reason="DoesNotExist")]), "DoesNot"),
    (thing("projectcontour.io/v1", "HTTPProxy"), "no controller"),
    (thing("projectcontour.io/v1", "HTTPProxy", currentStatus="invalid", description="no secret"), "no secret"),
    (thing("x.test/v1", "Thing", conditions=[said("Stalled", message="cannot")]), "cannot"),
    (thing("autoscaling/v2", "HorizontalPodAutoscaler"), "has not looked at it"),
    (thing("autoscaling/v2", "HorizontalPodAutoscaler", conditions=[ABLE]), "not looked at its metrics"),
    (
        thing("autoscaling/v2", "HorizontalPodAutoscaler", conditions=[ABLE, BLIND]),
        "FailedGetResourceMetric: no metrics returned",
    ),
    (
        thing(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            conditions=[said("AbleToScale", "False", reason="FailedGetScale", message="no such set"), NO_POD_WANTED],
        ),
        "FailedGetScale: no such set",
    ),
]


@pytest.mark.parametrize("live", GOOD, ids=lambda live: live["kind"])
def test_what_its_kind_says_is_ready_is_ready(live: Manifest) -> None:
    assert readiness(live).ready


@pytest.mark.parametrize(("live", "why"), BAD, ids=[f"{live['kind']}-{why[:12]}" for live, why in BAD])
def test_what_is_not_says_what_is_missing(live: Manifest, why: str) -> None:
    state = readiness(live)
    assert not state.ready
    assert why in state.why


def test_what_no_time_will_mend_is_hopeless() -> None:
    assert readiness(thing("batch/v1", "Job", conditions=[said("Failed", reason="BackoffLimitExceeded")])).hopeless
    assert readiness(thing("v1", "Pod", phase="Failed")).hopeless
    assert readiness(thing("v1", "PersistentVolumeClaim", phase="Lost")).hopeless


def test_an_autoscaler_that_sees_nothing_leads_to_whoever_brings_the_metrics() -> None:
    blind = thing("autoscaling/v2", "HorizontalPodAutoscaler", conditions=[ABLE, BLIND])
    assert "metrics-server" in readiness(blind).next_step
    lost = thing("autoscaling/v2", "HorizontalPodAutoscaler", conditions=[said("AbleToScale", "False")])
    assert readiness(lost).next_step == ""


def test_what_is_being_deleted_names_its_finalizers() -> None:
    live = thing("v1", "ConfigMap")
    live["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x.test/keep"]}
    assert "waits for x.test/keep" in readiness(live).why
