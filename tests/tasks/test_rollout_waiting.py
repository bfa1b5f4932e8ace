"""A wait ends when everything is ready, and says why where it never will be; pods of former versions do not count."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flows._rollout.results import unready_outcome
from model.rollout.keys import key_of
from model.rollout.veil import Veil
from remote.kube import Cluster
from tasks.rollout import waiting
from tasks.rollout.waiting import ReadinessWait, Unready
from tests.remote.memory_api import Manifest, MemoryApi

WHERE: Manifest = {
    "name": "web",
    "namespace": "n",
    "labels": {"app.kubernetes.io/managed-by": "matrix-fleet"},
}
PROBED = {"name": "main", "image": "x/y:1", "readinessProbe": {"tcpSocket": {"port": 1}}}


def deployment(**container: Any) -> Manifest:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{**PROBED, **container}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": dict(WHERE), "spec": spec}


def pod(name: str, status: Manifest, **labels: str) -> Manifest:
    meta = {"name": name, "namespace": "n", "labels": {"app": "web", **labels}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {}, "status": {"containerStatuses": [status]}}


def crashing(restarts: int = 5) -> Manifest:
    ended = {"terminated": {"exitCode": 3, "reason": "Error"}}
    state = {"waiting": {"reason": "CrashLoopBackOff"}}
    return {"name": "main", "state": state, "lastState": ended, "restartCount": restarts, "ready": False}


def event(name: str, reason: str, message: str, kind: str = "ReplicaSet") -> Manifest:
    involved = {"kind": kind, "name": name, "namespace": "n"}
    meta = {"name": f"{name}.{reason}", "namespace": "n"}
    more = {"type": "Warning", "reason": reason, "message": message, "involvedObject": involved}
    return {"apiVersion": "v1", "kind": "Event", "metadata": meta, **more}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> MemoryApi:
    monkeypatch.setattr(waiting, "_DIAGNOSED_AFTER", -1.0)
    monkeypatch.setattr(waiting, "_PAUSE", 0.01)
    found = MemoryApi()
    found.put(deployment())
    return found


def wait(api: MemoryApi, *manifests: Manifest, seconds: float = 0.3) -> tuple[tuple[Unready, ...], list[Unready]]:
    told: list[Unready] = []
    found = ReadinessWait(api.cluster(), seconds, told.extend, threading.Event())
    return found.until_ready(manifests or [deployment()]), told


def make_ready(api: MemoryApi) -> None:
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
    generation = api.get("/apis/apps/v1/namespaces/n/deployments/web")["metadata"]["generation"]
    status = {"observedGeneration": generation + 1, **counts}
    api.put({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": dict(WHERE), "status": status})


def test_what_was_just_seen_is_looked_at_first_and_then_no_more(api: MemoryApi) -> None:
    make_ready(api)
    ready = api.get("/apis/apps/v1/namespaces/n/deployments/web")
    young = ready | {"status": {}}
    told: list[Unready] = []
    for before, looks in ((ready, 0), (young, 1)):
        found = ReadinessWait(api.cluster(), 0.3, told.extend, threading.Event(), {key_of(ready): before})
        assert found.until_ready([deployment()]) == ()
        assert len(told) == looks
    # What was seen is long past by then.
    api.put(ready | {"metadata": WHERE, "status": {}})
    assert found.until_ready([deployment()])


def test_what_is_ready_is_not_waited_for(api: MemoryApi) -> None:
    make_ready(api)
    assert wait(api) == ((), [])


def test_what_is_not_ready_is_told_and_named_when_time_is_up(api: MemoryApi) -> None:
    unready, told = wait(api)
    assert [entry.why for entry in unready] == ["its controller has not looked at it yet"]
    assert told


def test_an_autoscaler_that_sees_nothing_says_what_to_do_whatever_its_events_say(api: MemoryApi) -> None:
    api.kinds["autoscaling/v2"] = {"HorizontalPodAutoscaler": ("horizontalpodautoscalers", True)}
    blind = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "none"}
    scaler = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": dict(WHERE), "spec": {}}
    api.put(scaler | {"status": {"conditions": [{"type": "AbleToScale", "status": "True"}, blind]}})
    api.put(event("web", "FailedGetResourceMetric", "unable to get metrics", "HorizontalPodAutoscaler"))
    (unready,), _ = wait(api, scaler)
    assert unready.why == "FailedGetResourceMetric: none"
    assert unready.troubles
    assert "metrics-server" in unready_outcome("synapse", unready, Veil(())).next


def test_what_is_gone_is_not_ready(api: MemoryApi) -> None:
    api.take("/apis/apps/v1/namespaces/n/deployments/web")
    assert wait(api)[0][0].why == "is not there any more"


def test_a_crash_loop_ends_the_wait_with_the_last_lines(api: MemoryApi) -> None:
    api.put(pod("web-1", crashing()))
    api.logs["web-1"] = "first\ncannot read /etc/x"
    unready, _ = wait(api, seconds=600)
    assert unready[0].hopeless
    assert "exit code 3" in unready[0].troubles[0].words
    assert unready[0].log[-1] == "cannot read /etc/x"


def test_what_kubelet_says_of_a_log_that_is_gone_is_no_log(api: MemoryApi) -> None:
    api.put(pod("web-1", crashing()))
    api.logs["web-1"] = "unable to retrieve container logs for containerd://1"
    assert wait(api, seconds=600)[0][0].log == ()


def test_a_pod_of_a_former_version_says_nothing_of_the_new_one(api: MemoryApi) -> None:
    revision = {"deployment.kubernetes.io/revision": "2"}
    meta = {"name": "web-b", "namespace": "n", "labels": {"app": "web", "pod-template-hash": "b"}}
    api.put({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta | {"annotations": revision}, "spec": {}})
    about = {"metadata": WHERE | {"annotations": revision}}
    api.put({"apiVersion": "apps/v1", "kind": "Deployment", **about})
    api.put(pod("web-a-1", crashing(), **{"pod-template-hash": "a"}))
    unready, _ = wait(api)
    assert not unready[0].hopeless
    assert unready[0].troubles == ()
    api.put(pod("web-b-1", crashing(), **{"pod-template-hash": "b"}))
    assert wait(api, seconds=600)[0][0].hopeless


def test_who_waits_says_its_last_event_its_containers_reason_and_since_when(api: MemoryApi) -> None:
    began = datetime.now(UTC)
    waiting_for = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
    api.put(pod("web-1", {"name": "main", "state": waiting_for, "ready": False}))
    api.put(event("web-1", "Scheduled", "long ago", "Pod"))
    told: list[Unready] = []

    stop = threading.Event()

    def tell(found: tuple[Unready, ...]) -> None:
        told.extend(found)
        api.put(event("web-1", "Failed", "no such image", "Pod"))
        if len(told) > 2:
            stop.set()

    ReadinessWait(api.cluster(), 600, tell, stop).until_ready([deployment()])
    entry = told[2]
    assert (entry.event, entry.container) == ("Failed: no such image", "web-1/main: ErrImagePull: not found")
    assert began <= entry.since <= datetime.now(UTC)
    assert entry.line.startswith("Deployment n/web: its controller has not looked at it yet; ")
    assert f"; since {entry.since:%H:%M:%S} UTC, " in entry.line


def claim_event(reason: str, message: str, minute: int) -> Manifest:
    return event("data", reason, message, "PersistentVolumeClaim") | {"lastTimestamp": f"2026-01-01T00:{minute:02}:00Z"}


def unbound() -> Manifest:
    """A pod whose claim, of a name that has nothing of its own, is not bound."""
    words = "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind."
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "w", "emptyDir": {}}]
    found = pod("web-1", {"name": "main", "state": {}})
    return found | {"spec": {"volumes": volumes}, "status": {"conditions": [scheduled]}}


def test_the_report_names_the_last_event_of_a_claim_that_is_not_bound_and_what_its_pod_says(api: MemoryApi) -> None:
    api.put(unbound())
    said = 'storageclass.storage.k8s.io "nowhere" is being looked for'
    api.put(claim_event("WaitForFirstConsumer", "waiting for first consumer", 1))
    api.put(claim_event("ProvisioningFailed", said, 2))
    api.put(event("other", "ProvisioningFailed", "of another claim", "PersistentVolumeClaim"))
    later = {"lastTimestamp": "2026-01-01T00:03:00Z"}
    api.put(event("web-1", "FailedScheduling", "0/3 nodes are available", "Pod") | later)
    (unready,), _ = wait(api)
    words = f"ProvisioningFailed of PersistentVolumeClaim n/data: {said}"
    assert unready.event == words
    told = unready_outcome("synapse", unready, Veil(()))
    assert f"; last event {words}" in told.message
    assert "didn't find available persistent volumes to bind" in told.message
    assert isinstance(told.evidence, dict)
    assert told.evidence["event"] == words


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("ProvisioningFailed", 'storageclass.storage.k8s.io "nowhere" not found'),
        ("FailedBinding", "no persistent volumes available for this claim and no storage class is set"),
    ],
)
def test_the_report_names_the_event_of_a_claim_by_itself_once(api: MemoryApi, reason: str, message: str) -> None:
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": WHERE | {"name": "data"}, "spec": {}}
    api.put(claim)
    api.put(claim_event(reason, message, 1))
    (unready,), _ = wait(api, claim)
    told = unready_outcome("synapse", unready, Veil(()))
    assert (told.message.count(reason), told.message.count(message)) == (1, 1)
    assert isinstance(told.evidence, dict)
    assert told.evidence["event"] == f"{reason}: {message}"


def test_the_report_names_the_reason_of_a_container_and_says_nothing_twice(api: MemoryApi) -> None:
    state = {"waiting": {"reason": "ErrImagePull", "message": "secret-word: not found"}}
    api.put(pod("web-1", {"name": "main", "state": state, "ready": False}))
    api.put(event("web-1", "BackOff", "no pull for a while", "Pod"))
    (unready,), _ = wait(api)
    told = unready_outcome("synapse", unready, Veil([b"secret-word"]))
    assert told.message.endswith("; container web-1/main: ErrImagePull; last event BackOff: no pull for a while")
    assert told.message.count("(secret): not found") == 1
    assert isinstance(told.evidence, dict)
    assert told.evidence["container"] == "web-1/main: ErrImagePull: (secret): not found"


def test_an_event_from_before_counts_only_when_time_is_up(api: MemoryApi) -> None:
    api.put(event("web-b", "FailedCreate", "exceeded quota: q"))
    unready, told = wait(api)
    assert told[1].troubles == ()
    assert "exceeded quota: q" in unready[0].troubles[0].words


def test_without_a_readiness_probe_a_container_must_have_gone_on_for_a_while(
    api: MemoryApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_SETTLED_SECONDS", 0.2)
    unprobed = deployment()
    del unprobed["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    api.take("/apis/apps/v1/namespaces/n/deployments/web")
    api.put(unprobed)
    make_ready(api)
    begun = (datetime.now(UTC) + timedelta(seconds=60)).isoformat()
    api.put(pod("web-1", {"name": "main", "state": {"running": {"startedAt": begun}}}))
    unready, told = wait(api, unprobed, seconds=5)
    assert unready == ()
    assert "has only just started" in told[0].why


def test_a_container_that_does_not_run_is_not_settled(api: MemoryApi) -> None:
    unprobed = deployment()
    del unprobed["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    api.take("/apis/apps/v1/namespaces/n/deployments/web")
    api.put(unprobed)
    make_ready(api)
    api.put(pod("web-1", crashing(restarts=1)))
    assert wait(api, unprobed)[0]


def test_what_others_have_is_not_listed_and_what_lost_its_label_is_still_found(
    api: MemoryApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    selectors: list[str] = []
    listed = Cluster.list

    def noted(cluster: Cluster, path: str, *, labels: str = "", fields: str = "") -> list[Manifest]:
        if path.endswith("/deployments"):
            selectors.append(labels)
        return listed(cluster, path, labels=labels, fields=fields)

    monkeypatch.setattr(Cluster, "list", noted)
    make_ready(api)
    assert wait(api) == ((), [])
    assert selectors == ["app.kubernetes.io/managed-by=matrix-fleet"]
    del api.objects["apps/v1", "deployments", "n", "web"].document["metadata"]["labels"]
    assert wait(api) == ((), [])


def test_events_are_asked_once_a_look(api: MemoryApi) -> None:
    other = deployment() | {"metadata": WHERE | {"name": "other"}}
    api.put(other)
    api.put(event("web-b", "FailedCreate", "exceeded quota: q"))
    unready, told = wait(api, deployment(), other)
    assert "exceeded quota: q" in {entry.key.name: entry for entry in unready}["web"].troubles[0].words
    assert api.asked.count("GET /api/v1/namespaces/n/events") == len(told) // 2


@pytest.mark.parametrize(("ago", "believed"), [(-60, False), (3600, True)])
def test_an_operator_that_names_no_version_is_not_believed_right_after_a_change(
    api: MemoryApi, monkeypatch: pytest.MonkeyPatch, ago: int, believed: bool
) -> None:
    monkeypatch.setattr(waiting, "_NOTICED_SECONDS", 0.1)
    api.kinds["postgresql.cnpg.io/v1"] = {"Cluster": ("clusters", True)}
    api.time = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()
    database = {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": dict(WHERE),
        "spec": {"instances": 3},
        "status": {"phase": "Cluster in healthy state", "readyInstances": 3},
    }
    api.put(database)
    unready, told = wait(api, database, seconds=5)
    assert unready == ()
    assert bool(told) is not believed
    assert all("no time to look at its newest version" in entry.why for entry in told)
