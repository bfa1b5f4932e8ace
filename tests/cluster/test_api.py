"""The way to the Kubernetes API, against a real one behind a real sshd."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from model.errors import KubernetesError, ObjectMissing
from remote.kube import Cluster
from tests.cluster.apiserver import RealApi

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "default"}}
PATH = "/api/v1/namespaces/default/configmaps/x"


def test_applying_twice_changes_nothing_the_second_time(cluster: Cluster) -> None:
    first = cluster.apply(MAP | {"data": {"a": "1"}})
    second = cluster.apply(MAP | {"data": {"a": "1"}})
    assert first.before is None
    assert "+  a: '1'" in first.lines
    assert second.lines == ()
    assert second.after["metadata"]["resourceVersion"] == first.after["metadata"]["resourceVersion"]


def test_what_is_no_longer_wanted_goes_and_what_others_wrote_stays(cluster: Cluster) -> None:
    cluster.apply(MAP | {"data": {"a": "1", "b": "2"}})
    cluster.apply(MAP | {"data": {"theirs": "3"}}, field_manager="somebody")
    cluster.apply(MAP | {"data": {"a": "1"}})
    assert cluster.get(PATH)["data"] == {"a": "1", "theirs": "3"}


def test_a_diff_changes_nothing(cluster: Cluster) -> None:
    cluster.delete(PATH)
    assert cluster.diff(MAP | {"data": {"a": "1"}})
    assert cluster.find(PATH) is None
    cluster.apply(MAP | {"data": {"a": "1"}})
    lines = cluster.diff(MAP | {"data": {"a": "2"}})
    assert {"-  a: '1'", "+  a: '2'"} <= set(lines)
    assert cluster.get(PATH)["data"] == {"a": "1"}


def test_a_diff_in_a_namespace_to_come_is_all_new(cluster: Cluster) -> None:
    coming = MAP | {"metadata": {"name": "x", "namespace": "coming"}}
    assert cluster.diff(coming)
    with pytest.raises(ObjectMissing, match=r"namespaces .* not found"):
        cluster.apply(coming)


def test_a_secrets_values_are_in_no_diff(cluster: Cluster) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "default"}}
    applied = cluster.apply(secret | {"stringData": {"key": "hunter2", "same": "x"}})
    other = cluster.apply(secret | {"stringData": {"key": "hunter3", "same": "x"}})
    assert "hunter" not in "".join((*applied.lines, *other.lines))
    assert "aHVudGVy" not in "".join((*applied.lines, *other.lines))
    assert "+  key: (new secret)" in other.lines
    assert "   same: (secret)" in other.lines


def test_an_invalid_object_is_refused_by_field(cluster: Cluster) -> None:
    with pytest.raises(KubernetesError, match=r"spec\.podCIDRs\[0\]: Invalid value") as caught:
        cluster.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "spec": {"podCIDRs": ["x"]}})
    assert (caught.value.status, caught.value.reason) == (422, "Invalid")


def test_an_unknown_kind_is_named(cluster: Cluster) -> None:
    thing: dict[str, Any] = {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "t"}}
    with pytest.raises(ObjectMissing, match="knows no kind Thing in v1"):
        cluster.apply(thing)


def test_patch_delete_and_wait(cluster: Cluster) -> None:
    cluster.apply(MAP | {"data": {"a": "1"}})
    assert cluster.patch(PATH, {"data": {"a": None, "b": "2"}})["data"] == {"b": "2"}
    assert cluster.delete(PATH) is True
    assert cluster.wait(PATH, lambda seen: not seen, "it to go", 5) == []
    assert cluster.delete(PATH) is False


def test_the_other_server_answers_while_one_hangs(api: RealApi, cluster: Cluster) -> None:
    cluster.get("/version")
    for process in api.servers[:1]:
        process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert cluster.apply(MAP | {"data": {"a": "5"}}).after["data"] == {"a": "5"}
        assert time.monotonic() - began < 60
    finally:
        for process in api.servers:
            process.send_signal(signal.SIGCONT)


def test_a_ready_api_has_no_complaint(cluster: Cluster) -> None:
    assert cluster.healthy() == ()
