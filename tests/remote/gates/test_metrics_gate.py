"""Claims about the gate of the metrics: every node of the site is told of, and no autoscaler is blind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from model.report.outcome import Status
from remote.gates import metrics
from tests.remote.gates.test_pods_gate import SCALERS, autoscaler
from tests.remote.gates.world import World, rendered

NODES = "/apis/metrics.k8s.io/v1beta1/nodes"
SERVICE = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"
Spoil = Callable[[World], object]


def served(status: str = "True", message: str = "") -> dict[str, Any]:
    """Return how API servers find whoever serves metrics."""
    said = {"type": "Available", "status": status, "message": message}
    meta = {"name": "v1beta1.metrics.k8s.io"}
    return {
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": meta, "spec": {},
        "status": {"conditions": [said]},
    }  # fmt: skip


@pytest.fixture
def measured(world: World) -> World:
    """A site whose nodes and autoscalers are all seen."""
    features = world.site.settings.features.model_copy(update={"autoscaling": True})
    world.site = replace(world.site, settings=world.site.settings.model_copy(update={"features": features}))
    usage = {"cpu": "120m", "memory": "81920Ki"}
    world.objects[NODES] = [{"metadata": {"name": node.name}, "usage": dict(usage)} for node in world.site.nodes]
    world.single[SERVICE] = served()
    world.objects[SCALERS] = [autoscaler("True")]
    world.rendered = [rendered("synapse", autoscaler("True"))]
    return world


def test_every_node_and_every_autoscaler_seen_is_good(measured: World) -> None:
    result = metrics.run(measured.context())
    assert (result.status, result.figures["autoscalers"]) == (Status.OK, 1.0)
    # Nobody reaches the kubelet of the isolated network.
    assert "li-1" not in {node.name for node in measured.site.nodes}
    assert result.figures["nodes"] == len(measured.site.nodes)


def test_without_the_feature_there_is_nothing_to_try(world: World) -> None:
    assert metrics.run(world.context()).status is Status.NOT_RUN


def blind(world: World) -> None:
    world.objects[SCALERS] = [autoscaler("False", reason="FailedGetResourceMetric", message="no metrics")]


def idle(word: str, value: str) -> Spoil:
    return lambda world: world.objects[NODES][0]["usage"].update({word: value})


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda world: world.objects[NODES].pop(0), "node cp-1: nobody says what it uses"),
        (lambda world: world.objects.pop(NODES), "node w-1: nobody says what it uses"),
        (idle("cpu", "0"), "node cp-1: is said to use no cpu"),
        (idle("cpu", "0n"), "node cp-1: is said to use no cpu"),
        (idle("memory", "0Ki"), "node cp-1: is said to use no memory"),
        (lambda world: world.objects[NODES][0].pop("usage"), "node cp-1: is said to use no cpu"),
        (lambda world: world.single.pop(SERVICE), "nobody serves metrics.k8s.io"),
        (
            lambda world: world.single.update({SERVICE: served("False", "no response from https://10.96.1.1")}),
            "who serves metrics.k8s.io: no response from https://10.96.1.1",
        ),
        (blind, "HorizontalPodAutoscaler matrix/synapse-sync: FailedGetResourceMetric: no metrics"),
        (lambda world: world.objects.pop(SCALERS), "HorizontalPodAutoscaler matrix/synapse-sync: is not there"),
    ],
)
def test_each_gap_is_named(spoil: Spoil, says: str, measured: World) -> None:
    spoil(measured)
    result = metrics.run(measured.context())
    assert result.status is Status.DRIFT
    assert says in "\n".join(result.findings)
    part = "synapse" if "HorizontalPodAutoscaler" in says else "metrics-server"
    assert f"python -m flows.rollout --component {part}" in result.next_step


def test_an_autoscaler_whose_pods_are_stopped_is_not_blind(measured: World) -> None:
    measured.objects[SCALERS] = [autoscaler("False", reason="ScalingDisabled")]
    assert metrics.run(measured.context()).status is Status.OK
