"""Whatever shares a secret is gone before it gets another; what load decides comes back as few as it may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from model.errors import KubernetesError, PlanRefused, WaitExpired
from model.rollout.inventory import AppliedEntry, ComponentInventory
from model.rollout.keys import ObjectKey
from model.rollout.sharers import Sharer
from remote.api_endpoint import ApiRequest
from remote.kube import Cluster
from tasks.rollout.stopping import empty, look, renumbered, stop
from tests.remote.memory_api import Manifest, MemoryApi


def workload(name: str) -> Manifest:
    labels = {"app.kubernetes.io/name": name}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name, "namespace": "n"}, "spec": spec}


def pod(name: str) -> Manifest:
    meta = {"name": f"{name}-0", "namespace": "n", "labels": {"app.kubernetes.io/name": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {}, "status": {"phase": "Running"}}


def sharer(name: str, component: str = "synapse", least: int | None = None) -> Sharer:
    return Sharer(component=component, manifest=workload(name), least=least)


def rolled_out(api: MemoryApi) -> None:
    """What a rollout of one component leaves, whichever it was."""
    entries = {ObjectKey("", "Namespace", "", "n"): AppliedEntry("v1", "")}
    api.put(ComponentInventory(component="namespaces", entries=entries).to_manifest())


def replicas(api: MemoryApi, name: str) -> int:
    return int(api.get(f"/apis/apps/v1/namespaces/n/statefulsets/{name}")["spec"]["replicas"])


@pytest.fixture
def api() -> MemoryApi:
    """An API whose controller takes pods away as soon as somebody looks again."""
    found = MemoryApi()
    for name in ("main", "reader", "stranger"):
        found.put(workload(name))
        found.put(pod(name))

    def control(request: ApiRequest, _body: Manifest) -> None:
        for name in ("main", "reader"):
            key = ("v1", "pods", "n", f"{name}-0")
            if request.path.endswith("/pods") and key in found.objects and replicas(found, name) == 0:
                looked.append(name)
                if looked.count(name) > 1:
                    del found.objects[key]

    looked: list[str] = []
    found.before = control
    return found


def test_all_are_stopped_at_the_same_time_and_awaited(api: MemoryApi) -> None:
    seen = stop(api.cluster(), [sharer("main"), sharer("reader", least=3)], 30.0)
    assert ([found.name for found in seen.there], seen.lacking) == (["main", "reader"], "")
    assert {name: replicas(api, name) for name in ("main", "reader", "stranger")} == {
        "main": 0,
        "reader": 3,
        "stranger": 2,
    }
    assert ("v1", "pods", "n", "main-0") not in api.objects
    written = [line for line in api.written if line.startswith("PATCH")]
    assert [line.rpartition("/")[2] for line in written] == ["main", "reader", "reader"]


def test_a_pod_that_stays_is_an_error(api: MemoryApi) -> None:
    api.before = lambda _request, _body: None
    with pytest.raises(WaitExpired, match="every process to be gone"):
        stop(api.cluster(), [sharer("main")], 0.1)


def test_of_a_component_that_is_there_what_is_not_is_named_and_the_rest_stopped(api: MemoryApi) -> None:
    rolled_out(api)
    seen = stop(api.cluster(), [sharer("nobody"), sharer("main"), sharer("noone")], 30.0)
    assert ([found.name for found in seen.there], seen.lacking) == (["main"], "not in the cluster: nobody, noone")
    assert replicas(api, "main") == 0


@pytest.mark.parametrize("act", [look, stop])
def test_a_component_of_which_nothing_is_there_is_refused_before_anything_is_stopped(
    api: MemoryApi, act: Callable[[Cluster, Sequence[Sharer]], object]
) -> None:
    rolled_out(api)
    with pytest.raises(PlanRefused, match=r"nothing of livekit is there to be stopped.*: nobody, noone") as caught:
        act(api.cluster(), [sharer("main"), sharer("nobody", "livekit"), sharer("noone")])
    assert caught.value.next_step == "python -m flows.rollout"
    assert api.written == []
    assert replicas(api, "main") == 2


def test_before_anything_was_rolled_out_there_is_nothing_to_stop(api: MemoryApi) -> None:
    seen = stop(api.cluster(), [sharer("nobody")], 0.1)
    assert (seen.there, seen.lacking) == ((), "not in the cluster: nobody")


def test_what_was_rolled_out_is_not_taken_for_nothing_where_it_cannot_be_read(api: MemoryApi) -> None:
    rolled_out(api)
    broken = api.objects["v1", "configmaps", "matrix-fleet", "matrix-fleet-inventory-namespaces"].document
    broken["data"] = {"objects": "{"}
    with pytest.raises(KubernetesError, match="cannot be read"):
        stop(api.cluster(), [sharer("nobody")], 0.1)


def test_a_secret_that_no_workload_mounts_cannot_be_rotated_by_stopping(api: MemoryApi) -> None:
    with pytest.raises(PlanRefused, match="nothing to be stopped"):
        stop(api.cluster(), [], 0.1)


def declared(name: str, count: int) -> Manifest:
    found = workload(name)
    found["spec"]["replicas"] = count
    return found


def test_only_another_number_of_what_is_there_counts(api: MemoryApi) -> None:
    asked = [declared("main", 3), declared("reader", 2), declared("nobody", 1)]
    assert [live["metadata"]["name"] for live in renumbered(api.cluster(), asked)] == ["main"]


def test_of_what_is_declared_by_its_name_alone_there_are_to_be_none(api: MemoryApi) -> None:
    left = {key: value for key, value in workload("main").items() if key != "spec"}
    assert [live["metadata"]["name"] for live in renumbered(api.cluster(), [left])] == ["main"]
    empty(api.cluster(), renumbered(api.cluster(), [left]), 30.0)
    assert replicas(api, "main") == 0
    assert renumbered(api.cluster(), [left]) == []


def test_nothing_else_is_emptied_and_a_pod_that_stays_is_an_error(api: MemoryApi) -> None:
    empty(api.cluster(), [workload("main")], 30.0)
    assert (replicas(api, "main"), replicas(api, "stranger")) == (0, 2)
    assert ("v1", "pods", "n", "main-0") not in api.objects
    api.before = lambda _request, _body: None
    with pytest.raises(WaitExpired, match="every process to be gone"):
        empty(api.cluster(), [workload("stranger")], 0.1)
