"""Bootstrap's wait for its probe pods says what it waits for, and does not wait for what cannot come."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from flows._cluster.phases import pod_dns
from flows._cluster.phases.verify import NODES, await_probe_pods
from model.errors import WaitExpired
from model.report.outcome import Status
from tests.model.kubernetes.test_probe_pods import READY, node, pod


class Api:
    """A cluster of these nodes and pods; `later` are pods that come during a wait."""

    def __init__(self, nodes: list[Any], pods: list[Any], later: list[Any] | None = None) -> None:
        self.nodes, self.pods, self.later = nodes, pods, later
        self.waits: list[float] = []

    def list(self, path: str, **_: Any) -> list[Any]:
        return self.nodes if path == NODES else self.pods

    def wait(self, path: str, met: Callable[[Any], bool], awaited: str, seconds: float) -> None:
        self.waits.append(seconds)
        self.pods = self.pods if self.later is None else self.later
        if not met(self.pods):
            raise WaitExpired("cp-1", awaited, "not in time", path)


def waited(api: Any, *names: str) -> tuple[dict[str, str], list[str]]:
    said: list[str] = []
    cluster_run: Any = SimpleNamespace(nodes=names, context=SimpleNamespace(say=said.append))
    return await_probe_pods(cluster_run, api), said


def test_where_every_pod_is_there_nobody_waits_or_speaks() -> None:
    api = Api([node("w-1")], [pod("w-1", **READY)])
    assert (waited(api, "w-1"), api.waits) == (({}, []), [])


def test_a_pod_that_comes_is_waited_for_and_named() -> None:
    api = Api([node("w-1")], [], [pod("w-1", **READY)])
    lacking, said = waited(api, "w-1")
    assert (lacking, len(api.waits)) == ({}, 1)
    assert said == ["waiting up to 180 s for probe pods: w-1: nothing is said of a pod for it yet"]


def test_on_nodes_under_pressure_nobody_waits() -> None:
    evicted = pod("w-1", phase="Failed", reason="Evicted")
    api = Api([node("w-1", DiskPressure="True")], [evicted])
    lacking, said = waited(api, "w-1")
    assert (lacking, api.waits) == ({"w-1": "condition of the node: DiskPressure is True"}, [])
    assert said == ["going on without the probe pods of some nodes: w-1: condition of the node: DiskPressure is True"]


def test_a_pod_that_never_comes_is_a_finding_with_its_reason() -> None:
    waiting = pod("w-1", containerStatuses=[{"state": {"waiting": {"reason": "ErrImagePull"}}}])
    lacking, said = waited(Api([node("w-1")], [waiting]), "w-1")
    assert lacking == {"w-1": "ErrImagePull"}
    assert said[-1].endswith("w-1: ErrImagePull")
    nobody: Any = SimpleNamespace(nodes=("w-1",), nr=SimpleNamespace(inventory=SimpleNamespace(hosts={})))
    (outcome,) = pod_dns.answers(nobody, nobody, lacking)
    assert (outcome.host, outcome.status) == ("w-1", Status.FAILED)
    assert outcome.message == "its probe pod does not come: ErrImagePull"
    assert "kubectl describe node w-1" in outcome.next
