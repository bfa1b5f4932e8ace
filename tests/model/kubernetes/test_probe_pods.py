"""A probe pod that does not come has a reason, and it is told."""

from __future__ import annotations

from typing import Any

import pytest

from model.kubernetes.probe_pods import absent, obstacles


def node(name: str, **conditions: str) -> dict[str, Any]:
    said = {"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False", **conditions}
    return {"metadata": {"name": name}, "status": {"conditions": [{"type": k, "status": v} for k, v in said.items()]}}


def pod(place: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "probe-x"}, "spec": {"nodeName": place}, "status": status}


READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def test_every_node_has_its_pod() -> None:
    assert absent(["w-1", "w-2"], [pod("w-1", **READY), pod("w-2", **READY)], []) == {}


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (
            {"phase": "Failed", "reason": "Evicted", "message": "low on ephemeral-storage"},
            "Evicted: low on ephemeral-storage",
        ),
        ({"phase": "Failed"}, "it failed"),
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]},
            "ImagePullBackOff: no such image",
        ),
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room"}
                ]
            },
            "Unschedulable: no room",
        ),
        ({"conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]}, "ContainersNotReady"),
    ],
)
def test_what_the_pod_says_is_the_reason(status: dict[str, Any], why: str) -> None:
    assert absent(["w-1"], [pod("w-1", **status)], [node("w-1")]) == {"w-1": why}


def test_a_pod_that_is_leaving_serves_nobody() -> None:
    leaving = pod("w-1", **READY)
    leaving["metadata"]["deletionTimestamp"] = "now"
    assert set(absent(["w-1"], [leaving], [])) == {"w-1"}


def test_the_nodes_own_condition_comes_before_what_the_pod_says() -> None:
    full = node("w-1", DiskPressure="True")
    assert absent(["w-1"], [pod("w-1", phase="Failed")], [full]) == {
        "w-1": "condition of the node: DiskPressure is True"
    }
    assert obstacles([full, node("w-2"), node("w-3", Ready="False")]).keys() == {"w-1", "w-3"}


def test_a_pod_that_no_node_took_is_found_by_the_node_it_is_meant_for() -> None:
    field = {"key": "metadata.name", "operator": "In", "values": ["w-1"]}
    waiting = pod("", conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}])
    terms = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": [field]}]}}
    waiting["spec"] = {"affinity": {"nodeAffinity": terms}}
    assert absent(["w-1"], [waiting], []) == {"w-1": "Unschedulable"}


def test_of_a_pod_that_nobody_made_that_is_said() -> None:
    assert absent(["w-1"], [], [node("w-1")]) == {"w-1": "nothing is said of a pod for it yet"}
