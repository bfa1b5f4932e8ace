"""Webhooks answer a dry run before a custom resource is written: a silent one is awaited, a refusal is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from model.errors import ApiUnreachable, KubernetesError, WaitExpired
from model.rollout.changes import ChangeKind, ObjectChange
from model.rollout.keys import key_of
from model.rollout.webhooks import silent_webhook
from remote.api_endpoint import ApiRequest
from tasks.rollout import applying
from tasks.rollout.applying import Applier
from tests.remote.memory_api import Manifest, MemoryApi, Refusal

SILENT = (
    'Internal error occurred: failed calling webhook "mcluster.cnpg.io": failed to call webhook: Post '
    '"https://cnpg-webhook-service.cnpg-system.svc:443/mutate?timeout=10s": dial tcp 10.96.7.7:443: connect: refused'
)
DENIED = 'admission webhook "vcluster.cnpg.io" denied the request: no endpoints available in spec.instances'


def custom(name: str) -> Manifest:
    meta = {"name": name, "namespace": "n"}
    return {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": meta, "spec": {"instances": 3}}


def plain(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "n"}, "data": {"a": "1"}}


def change(manifest: Manifest, kind: ChangeKind = ChangeKind.CREATED) -> ObjectChange:
    return ObjectChange(component="postgresql", key=key_of(manifest), manifest=manifest, change=kind)


class World:
    """A server whose webhook answers as told, attempt by attempt: a text is its refusal, empty is yes."""

    def __init__(self) -> None:
        self.api = MemoryApi()
        self.api.kinds["postgresql.cnpg.io/v1"] = {"Cluster": ("clusters", True)}
        self.api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})
        self.api.before = self._asked
        self.answers: Callable[[int], tuple[int, str]] = lambda _attempt: (0, "")
        self.attempts: list[bool] = []
        self.said: list[str] = []
        self.refused: list[KubernetesError] = []

    def _asked(self, request: ApiRequest, _body: Manifest) -> None:
        if request.method == "PATCH" and "/clusters/" in request.path:
            self.attempts.append(("dryRun", "All") in request.query)
            status, words = self.answers(len(self.attempts))
            if words:
                raise Refusal(status, "InternalError" if status == 500 else "Forbidden", words)

    def apply(self, *manifests: Manifest, seconds: float = 30.0, kind: ChangeKind = ChangeKind.CREATED) -> bool:
        applier = Applier(self.api.cluster(), time.monotonic() + seconds, self.said.append, lambda: None)
        changes = [change(manifest, kind) for manifest in manifests]
        return applier.apply(changes, lambda _done: None, lambda _change, error: self.refused.append(error))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(applying, "_PAUSE", 0.01)
    return World()


def test_a_dry_run_of_the_very_object_comes_first_and_once_a_kind(world: World) -> None:
    assert world.apply(plain("a"), custom("one"), custom("two"))
    assert world.attempts == [True, False, False]
    assert world.api.asked.index("PATCH /apis/postgresql.cnpg.io/v1/namespaces/n/clusters/one") < world.api.asked.index(
        "PATCH /api/v1/namespaces/n/configmaps/a"
    )


def test_a_silent_webhook_is_awaited_and_named_with_its_last_answer_before_anything_is_written(world: World) -> None:
    world.answers = lambda attempt: (500, SILENT) if attempt < 4 else (0, "")
    assert world.apply(custom("one"))
    assert world.attempts == [True, True, True, True, False]
    assert world.said == [
        "Cluster n/one: waiting for the webhook mcluster.cnpg.io (Service cnpg-system/cnpg-webhook-service) to answer; "
        "last: dial tcp 10.96.7.7:443: connect: refused (500)"
    ]


def test_when_time_is_up_the_failure_names_service_and_next_step_and_nothing_was_written(world: World) -> None:
    world.answers = lambda _attempt: (500, SILENT)
    assert not world.apply(plain("a"), custom("one"), seconds=0.1)
    (error,) = world.refused
    assert isinstance(error, WaitExpired)
    for words in ("mcluster.cnpg.io", "cnpg-system/cnpg-webhook-service", "connect: refused"):
        assert words in error.message
    assert "`kubectl -n cnpg-system get endpointslices,pods`" in error.next_step
    assert world.api.written == []


@pytest.mark.parametrize("status", [400, 403, 422])
def test_a_refusal_by_a_webhook_is_a_failure_at_once(status: int, world: World) -> None:
    world.answers = lambda _attempt: (status, DENIED)
    assert not world.apply(custom("one"), seconds=600)
    # The client asks a second time where it is forbidden something.
    assert world.attempts == ([True, True] if status == 403 else [True])
    assert DENIED in world.refused[0].message
    assert (world.said, world.api.written) == ([], [])


def test_a_webhook_that_falls_silent_after_its_answer_is_awaited_too(world: World) -> None:
    world.answers = lambda attempt: (500, SILENT) if attempt in (2, 3) else (0, "")
    assert world.apply(custom("one"))
    assert world.attempts == [True, False, False, False]


def test_a_field_that_another_manager_holds_is_no_refusal(world: World) -> None:
    world.api.put(custom("one") | {"spec": {"instances": 5}}, "somebody")
    assert world.apply(custom("one"), kind=ChangeKind.CHANGED)
    assert world.api.get("/apis/postgresql.cnpg.io/v1/namespaces/n/clusters/one")["spec"]["instances"] == 3


def test_no_way_to_the_server_is_no_answer_of_a_webhook(world: World) -> None:
    def gone(_request: Any, _body: Any) -> None:
        raise ApiUnreachable("cp-1", "PATCH", "nobody answers")

    world.api.before = gone
    with pytest.raises(ApiUnreachable):
        world.apply(custom("one"), seconds=0.0)
    assert world.refused == []


@pytest.mark.parametrize(
    ("detail", "name", "service"),
    [
        (SILENT, "mcluster.cnpg.io", "cnpg-system/cnpg-webhook-service"),
        ('failed calling webhook "a.b": no endpoints available for service "c"', "a.b", ""),
        ("failed to call webhook: the server is currently unable to handle the request", "", ""),
    ],
)
def test_what_is_said_of_a_silent_webhook_is_read(detail: str, name: str, service: str) -> None:
    found = silent_webhook(KubernetesError("cp-1", "PATCH", detail))
    assert found is not None
    assert (found.name, found.service) == (name, service)
    assert found.answer
    assert found.next_step


def test_other_errors_are_no_silence() -> None:
    for detail in (DENIED, f"{DENIED}: failed calling webhook", "Internal error occurred: etcd"):
        assert silent_webhook(KubernetesError("cp-1", "PATCH", detail)) is None
