"""Claims about the gates of pods and endpoints: what only runs is not ready, and nothing seen is nothing proven."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from model.report.outcome import Status
from remote.gates import endpoints, pods
from tests.remote.gates.world import World, rendered

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1", "kind": "Deployment",
    "metadata": {"name": "haproxy", "namespace": "matrix", "generation": 1}, "spec": {"replicas": 2},
    "status": {
        "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
    },
}  # fmt: skip
POD: dict[str, Any] = {
    "metadata": {"name": "haproxy-a", "namespace": "matrix"}, "spec": {},
    "status": {
        "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "haproxy", "ready": True, "restartCount": 0, "state": {"running": {}}}],
    },
}  # fmt: skip
ENDED = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-28T11:55:00Z"}}
Spoil = Callable[[dict[str, Any], dict[str, Any]], object]


def status_of(pod: dict[str, Any]) -> dict[str, Any]:
    """Return the status of a pod's one container."""
    status: dict[str, Any] = pod["status"]["containerStatuses"][0]
    return status


def test_ready_pods_are_good() -> None:
    result = pods.judged([DEPLOYMENT], [POD], ("Deployment matrix/haproxy",), NOW)
    assert (result.status, result.figures) == (
        Status.OK,
        {"pods": 1.0, "workloads": 1.0, "autoscalers": 0.0, "restarts": 0.0},
    )


SCALERS = "/apis/autoscaling/v2/namespaces/matrix/horizontalpodautoscalers"


def autoscaler(active: str, **more: str) -> dict[str, Any]:
    """Return an autoscaler whose controller has looked at it."""
    conditions = [{"type": "AbleToScale", "status": "True"}, {"type": "ScalingActive", "status": active, **more}]
    meta = {"name": "synapse-sync", "namespace": "matrix"}
    manifest = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": {}}
    return manifest | {"status": {"conditions": conditions}}


def test_an_autoscaler_that_sees_no_metrics_is_found_and_leads_to_whoever_brings_them(world: World) -> None:
    world.pod("haproxy-a", "matrix", {}, "10.0.0.1")
    world.objects["/apis/apps/v1/namespaces/matrix/deployments"] = [DEPLOYMENT]
    world.objects[SCALERS] = [autoscaler("True")]
    good = pods.run(world.context())
    assert (good.status, good.figures["autoscalers"]) == (Status.OK, 1.0)
    world.objects[SCALERS] = [autoscaler("False", reason="FailedGetResourceMetric", message="no metrics returned")]
    result = pods.run(world.context())
    says = "HorizontalPodAutoscaler matrix/synapse-sync: FailedGetResourceMetric: no metrics returned"
    assert (result.status, result.findings) == (Status.DRIFT, (says,))
    assert "metrics-server" in result.next_step


def test_an_autoscaler_that_is_rendered_and_not_there_is_found(world: World) -> None:
    world.pod("haproxy-a", "matrix", {}, "10.0.0.1")
    world.rendered = [rendered("synapse", autoscaler("True"))]
    assert pods.run(world.context()).findings == ("HorizontalPodAutoscaler matrix/synapse-sync: is not there",)


def test_no_pods_prove_nothing() -> None:
    assert pods.judged([DEPLOYMENT], [], (), NOW).status == Status.UNPROVEN


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda work, _: work["status"].update(readyReplicas=1), "matrix/haproxy: 2 wanted, 1 of them ready"),
        (lambda work, _: work["metadata"].update(name="other"), "Deployment matrix/haproxy: is not there"),
        (lambda _, pod: pod["status"].update(conditions=[]), "Pod matrix/haproxy-a: Running, not ready"),
        (lambda _, pod: pod["status"].update(phase="Pending", conditions=[]), "haproxy-a: Pending, not ready"),
        (lambda _, pod: pod["status"].update(phase="Failed", conditions=[]), "haproxy-a: its containers failed"),
        (lambda _, pod: pod["metadata"].update(deletionTimestamp="2026-11-28T11:00:00Z"), "is being deleted"),
        (lambda _, pod: status_of(pod).update(restartCount=4, lastState=ENDED), "started again 4 times, last at"),
    ],
)  # fmt: skip
def test_each_fault_of_pods_is_found(spoil: Spoil, says: str) -> None:
    workload, pod = copy.deepcopy(DEPLOYMENT), copy.deepcopy(POD)
    spoil(workload, pod)
    result = pods.judged([workload], [pod], ("Deployment matrix/haproxy",), NOW)
    assert result.status == Status.DRIFT
    assert says in "\n".join(result.findings)


def test_a_crash_loop_is_named() -> None:
    pod = copy.deepcopy(POD)
    pod["status"]["conditions"] = []
    status_of(pod).update(
        ready=False, restartCount=5, lastState=ENDED, state={"waiting": {"reason": "CrashLoopBackOff"}}
    )
    result = pods.judged([DEPLOYMENT], [pod], (), NOW)
    assert "crash loop: Pod matrix/haproxy-a, container haproxy: ended with exit code 137 (OOMKilled)" in result.why


def test_what_failed_for_a_job_is_the_jobs_matter() -> None:
    pod = copy.deepcopy(POD)
    pod["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "bucket"}]
    pod["status"].update(phase="Failed", conditions=[])
    assert pods.judged([DEPLOYMENT], [POD, pod], (), NOW).status == Status.OK


def test_old_restarts_are_counted_and_not_held_against_it() -> None:
    pod = copy.deepcopy(POD)
    early = {"terminated": ENDED["terminated"] | {"finishedAt": "2026-11-28T08:00:00Z"}}
    status_of(pod).update(restartCount=9, lastState=early)
    result = pods.judged([DEPLOYMENT], [pod], (), NOW)
    assert (result.status, result.figures["restarts"]) == (Status.OK, 9.0)


def test_the_gate_looks_at_every_namespace_of_the_application(world: World) -> None:
    world.pod("haproxy-a", "matrix", {}, "10.0.0.1")
    world.objects["/apis/apps/v1/namespaces/matrix/deployments"] = [DEPLOYMENT]
    assert pods.run(world.context()).status == Status.OK
    world.objects["/api/v1/namespaces/cnpg-system/pods"] = [copy.deepcopy(POD) | {"status": {"phase": "Pending"}}]
    assert pods.run(world.context()).status == Status.DRIFT


SERVICE: dict[str, Any] = {
    "metadata": {"name": "haproxy", "namespace": "matrix"}, "spec": {"selector": {"app.kubernetes.io/name": "haproxy"}},
}  # fmt: skip
SLICE: dict[str, Any] = {
    "metadata": {"name": "haproxy-1", "namespace": "matrix", "labels": {"kubernetes.io/service-name": "haproxy"}},
    "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True, "serving": True}}],
}  # fmt: skip


def test_somebody_behind_every_service_is_good(world: World) -> None:
    world.objects["/api/v1/namespaces/matrix/services"] = [SERVICE]
    world.objects["/apis/discovery.k8s.io/v1/namespaces/matrix/endpointslices"] = [SLICE]
    result = endpoints.run(world.context())
    assert (result.status, result.figures) == (Status.OK, {"services": 1.0, "endpoints": 1.0})


@pytest.mark.parametrize(
    ("slices", "says"),
    [
        ([], "Service matrix/haproxy: nobody stands behind it"),
        ([SLICE | {"endpoints": None}], "Service matrix/haproxy: nobody stands behind it"),
        ([SLICE | {"metadata": SLICE["metadata"] | {"namespace": "other"}}], "nobody stands behind it"),
        # A Service that publishes pods before they are ready calls all of them ready.
        ([SLICE | {"endpoints": [{"conditions": {"ready": True, "serving": False}}]}], "it; 1 are not ready"),
        ([SLICE | {"endpoints": [{"conditions": {"ready": False}}]}], "it; 1 are not ready"),
        (
            [SLICE | {"endpoints": [{"conditions": {"ready": False, "serving": True, "terminating": True}}]}],
            "it; 1 are not ready",
        ),
    ],
)
def test_a_service_without_anybody_is_found(slices: list[dict[str, Any]], says: str) -> None:
    result = endpoints.judged([SERVICE], slices)
    assert result.status == Status.DRIFT
    assert says in result.why


def test_no_services_prove_nothing() -> None:
    assert endpoints.judged([{"metadata": {"name": "kubernetes"}, "spec": {}}], []).status == Status.UNPROVEN


def test_one_instance_of_postgresql_has_no_readers() -> None:
    readers = {"metadata": {"name": "postgresql-ro", "namespace": "matrix"}, "spec": {"selector": {"a": "b"}}}
    assert endpoints.judged([SERVICE, readers], [SLICE], alone=True).status == Status.OK
    assert endpoints.judged([SERVICE, readers], [SLICE]).status == Status.DRIFT


def test_a_service_that_is_rendered_and_not_there_is_found(world: World) -> None:
    world.objects["/api/v1/namespaces/matrix/services"] = [SERVICE]
    world.objects["/apis/discovery.k8s.io/v1/namespaces/matrix/endpointslices"] = [SLICE]
    s3 = {"kind": "Service", "metadata": {"name": "s3", "namespace": "matrix"}, "spec": {}}
    world.rendered = [rendered("seaweedfs", s3)]
    result = endpoints.run(world.context())
    assert (result.status, result.findings) == (Status.DRIFT, ("Service matrix/s3: is not there",))
