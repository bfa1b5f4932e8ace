"""Claims about what a pod names: the same walk decides what restarts it and what must be there."""

from __future__ import annotations

from typing import Any

import pytest

from model.rollout.pod_sources import PodSource, pod_sources


def container(**more: Any) -> dict[str, Any]:
    return {"name": "main", **more}


def variable(word: str, **more: Any) -> dict[str, Any]:
    return {"containers": [container(env=[{"name": "A", "valueFrom": {word: {"name": "a", "key": "k", **more}}}])]}


def volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", **source}]}


@pytest.mark.parametrize(
    ("pod", "found"),
    [
        (volume(configMap={"name": "a"}), PodSource(kind="ConfigMap", name="a")),
        (
            volume(secret={"secretName": "a", "items": [{"key": "k", "path": "p"}]}),
            PodSource(kind="Secret", name="a", keys=("k",)),
        ),
        (volume(secret={"secretName": "a", "optional": True}), PodSource(kind="Secret", name="a", optional=True)),
        (volume(projected={"sources": [{"secret": {"name": "a"}}]}), PodSource(kind="Secret", name="a")),
        (volume(projected={"sources": [{"configMap": {"name": "a"}}]}), PodSource(kind="ConfigMap", name="a")),
        (volume(persistentVolumeClaim={"claimName": "a"}), PodSource(kind="PersistentVolumeClaim", name="a")),
        (variable("secretKeyRef"), PodSource(kind="Secret", name="a", keys=("k",))),
        (variable("configMapKeyRef", optional=True), PodSource(kind="ConfigMap", name="a", keys=("k",), optional=True)),
        ({"containers": [container(envFrom=[{"secretRef": {"name": "a"}}])]}, PodSource(kind="Secret", name="a")),
        (
            {"initContainers": [container(envFrom=[{"configMapRef": {"name": "a"}}])]},
            PodSource(kind="ConfigMap", name="a"),
        ),
    ],
)
def test_each_way_to_name_an_object_is_seen(pod: dict[str, Any], found: PodSource) -> None:
    assert list(pod_sources(pod)) == [found]


def test_a_pod_that_names_nothing_has_no_sources() -> None:
    pod = {"volumes": [{"name": "v", "emptyDir": {}}], "containers": [container(env=[{"name": "A", "value": "1"}])]}
    assert list(pod_sources(pod)) == []
    assert list(pod_sources({"volumes": None, "initContainers": None, "containers": [container(env=None)]})) == []
