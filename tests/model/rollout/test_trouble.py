"""Each reason why pods do not come up is told apart, with its object and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from model.rollout.trouble import TroubleKind, by_time, troubles

Manifest = dict[str, Any]


def pod(*containers: Manifest, **more: Any) -> Manifest:
    status = {"containerStatuses": list(containers), **more}
    return {"metadata": {"name": "p-0", "namespace": "n"}, "spec": {}, "status": status}


def waiting(reason: str, message: str = "", **more: Any) -> Manifest:
    return {"name": "main", "image": "x/y:1", "state": {"waiting": {"reason": reason, "message": message}}} | more


def event(reason: str, message: str, kind: str = "Pod", name: str = "p-0", at: str = "1") -> Manifest:
    involved = {"kind": kind, "name": name, "namespace": "n"}
    return {
        "type": "Warning",
        "reason": reason,
        "message": message,
        "involvedObject": involved,
        "metadata": {},
        "lastTimestamp": at,
    }


ENDED: Manifest = {"lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}, "ready": False, "restartCount": 5}
UNSCHEDULED = [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 Insufficient cpu."}]
UNBOUND = [{"type": "PodScheduled", "status": "False", "message": "pod has unbound immediate PersistentVolumeClaims"}]
CASES = [
    (
        TroubleKind.PULL,
        [pod(waiting("ImagePullBackOff"))],
        [event("Failed", "Failed to pull image: no host")],
        "no host",
    ),
    (TroubleKind.CRASH, [pod(waiting("CrashLoopBackOff", **ENDED))], [], "exit code 3 (Error), started again 5 times"),
    (TroubleKind.CONFIG, [pod(waiting("CreateContainerConfigError", 'secret "a" not found'))], [], 'secret "a"'),
    (
        TroubleKind.QUOTA,
        [],
        [event("FailedCreate", "pods is forbidden: exceeded quota: q", "ReplicaSet")],
        "exceeded quota: q",
    ),
    (
        TroubleKind.STORAGE_CLASS,
        [],
        [event("ProvisioningFailed", 'storageclass.storage.k8s.io "gone" not found', "PersistentVolumeClaim", "c")],
        "gone",
    ),
    (
        TroubleKind.ADMISSION,
        [],
        [event("FailedCreate", 'violates PodSecurity "restricted"', "ReplicaSet")],
        "PodSecurity",
    ),
    (TroubleKind.MOUNT, [pod()], [event("FailedMount", 'configmap "none" not found')], 'configmap "none"'),
    (TroubleKind.UNSCHEDULABLE, [pod(conditions=UNSCHEDULED)], [], "Insufficient cpu"),
    (TroubleKind.CLAIM, [pod(conditions=UNBOUND)], [], "unbound immediate"),
]


@pytest.mark.parametrize(("kind", "pods", "events", "words"), CASES, ids=[case[0].name for case in CASES])
def test_each_trouble_is_named_with_words_and_a_next_step(
    kind: TroubleKind, pods: list[Manifest], events: list[Manifest], words: str
) -> None:
    first = troubles(pods, events, "Deployment n/p")[0]
    assert first.kind is kind
    assert words in first.words
    assert first.next_step


def test_a_missing_class_is_named_in_the_next_step() -> None:
    found = troubles([], [event("ProvisioningFailed", 'storageclass.storage.k8s.io "gone" not found')], "x")
    assert "storage class gone" in found[0].next_step


def test_a_container_that_restarted_once_is_no_crash_loop() -> None:
    running = {"name": "main", "state": {"running": {}}, "ready": False, "restartCount": 1, "lastState": {}}
    assert troubles([pod(running)], [], "x") == ()


def test_one_that_ended_and_runs_again_says_how_it_ended_and_ends_no_wait() -> None:
    again: Manifest = {"name": "main", "state": {"running": {}}, **ENDED, "restartCount": 2}
    (found,) = troubles([pod(again)], [], "x")
    assert (found.kind, found.container, found.patience) == (TroubleKind.OTHER, "main", float("inf"))
    assert found.words == "ended with exit code 3 (Error), started again 2 times"


@pytest.mark.parametrize(
    "words",
    [
        "Create Pod p-0 in StatefulSet p failed error: etcdserver: request timed out, possibly due to leader failure",
        "Create Claim c for Pod p-0 failed error: Internal error occurred: resource quota evaluation timed out",
    ],
)
def test_a_server_that_could_not_answer_has_refused_nothing(words: str) -> None:
    (found,) = troubles([], [event("FailedCreate", words, "StatefulSet", "p")], "StatefulSet n/p")
    assert found.kind is TroubleKind.OTHER
    assert found.words == words
    assert found.patience == float("inf")


def test_without_a_known_reason_the_last_event_is_told() -> None:
    found = troubles([], [event("Odd", "something odd") | {"type": "Normal"}], "Deployment n/p")
    assert (found[0].kind, found[0].about, found[0].words) == (
        TroubleKind.OTHER,
        "Deployment n/p",
        "Odd: something odd",
    )


def test_events_are_put_in_order_by_whatever_time_they_have() -> None:
    late = event("B", "late") | {"lastTimestamp": None, "eventTime": "2026-01-02T00:00:00.5Z"}
    assert [entry["reason"] for entry in by_time([late, event("A", "early", at="2026-01-01T00:00:00Z")])] == ["A", "B"]
