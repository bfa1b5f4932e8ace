"""What Synapse itself does not refuse, the audit does."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from model.rollout.synapse.config_audit import audit, merged
from tests.model.rollout.synapse.synapse_sites import SIZES, rendered, running, site

Configs = dict[str, dict[str, Any]]


def configs(size: str | int = "small", **switches: Any) -> Configs:
    of = site(size, **switches)
    files = rendered(of, "synapse").files
    found = {}
    for process in running(of).all:
        texts = [files["homeserver.yaml"], files[f"synapse-{process.pool.name}.yaml"]]
        name = [] if process.pool.name == "main" else [f"worker_name: {process.name}\n"]
        found[process.name] = merged(*texts, *name)
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("federation", [True, False])
def test_what_is_rendered_is_in_order(size: str | int, federation: bool) -> None:
    assert audit(configs(size, federation=federation, push_notifications=federation)) == ()


def _set(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda config: config.update({key: value})


def _writer(stream: str, *names: str) -> Callable[[dict[str, Any]], None]:
    return lambda config: config["stream_writers"].update({stream: list(names)})


RED: tuple[tuple[Callable[[dict[str, Any]], None], str], ...] = (
    (_set("federation_sender_instances", ["ghost"]), "federation_sender_instances names ghost, and no pod"),
    (_set("pusher_instances", ["synapse-sync-9"]), "pusher_instances names synapse-sync-9"),
    (_set("run_background_tasks_on", "nobody"), "run_background_tasks_on names nobody"),
    (_set("media_instance_running_background_jobs", "media"), "media_instance_running_background_jobs names media"),
    (_set("outbound_federation_restricted_to", ["x"]), "outbound_federation_restricted_to names x"),
    (_writer("typing", "ghost"), "stream_writers.typing names ghost, and no pod is called so"),
    (_writer("receipts", "synapse-sync-0"), "stream_writers.receipts names synapse-sync-0, which instance_map lacks"),
    (lambda config: config["instance_map"].update(ghost={"host": "x", "port": 1}), "instance_map names ghost"),
    (_set("turn_shared_secret", "clear"), "turn_shared_secret holds a secret in clear"),
    (_set("email", {"smtp_pass": "clear"}), "email.smtp_pass holds a secret in clear"),
    (lambda config: config["database"]["args"].update(password="clear"), "database.args.password holds a secret"),
    (
        lambda config: config["media_storage_providers"][0]["config"].update(secret_access_key="clear"),
        "media_storage_providers[0].config.secret_access_key holds a secret",
    ),
    (
        _set("modules", [{"module": "x", "config": {"url": "https://a:clear@b"}}]),
        "modules[0].config.url holds a secret",
    ),
)


@pytest.mark.parametrize(("spoil", "sentence"), RED, ids=[sentence[:40] for _, sentence in RED])
def test_what_is_wrong_is_named(spoil: Callable[[dict[str, Any]], None], sentence: str) -> None:
    spoiled = copy.deepcopy(configs())
    spoil(spoiled["synapse-main-0"])
    assert any(sentence in found for found in audit(spoiled)), audit(spoiled)
    assert not any("clear@" in found or ": clear" in found for found in audit(spoiled))


def test_a_worker_is_called_as_its_pod() -> None:
    spoiled = configs()
    spoiled["synapse-sync-0"]["worker_name"] = "synapse-sync-1"
    assert any("worker_name is synapse-sync-1, and its pod is called synapse-sync-0" in it for it in audit(spoiled))


def test_files_are_merged_as_synapse_does() -> None:
    assert merged("a: {b: 1}\nc: 1\n", "a: {d: 2}\n", "") == {"a": {"d": 2}, "c": 1}
