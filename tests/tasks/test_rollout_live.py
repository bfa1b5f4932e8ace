"""Objects are listed once; what was listed counts as what is there for a moment alone."""

from __future__ import annotations

import pytest

from model.rollout.keys import key_of
from tasks.rollout import live
from tests.remote.memory_api import Manifest, MemoryApi

SETTINGS: Manifest = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "one", "namespace": "n", "labels": {"app.kubernetes.io/managed-by": "matrix-fleet"}},
}


def test_what_was_listed_a_while_ago_is_not_taken_for_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(live, "monotonic", lambda: now[0])
    api = MemoryApi()
    api.put(SETTINGS)
    objects = live.LiveObjects(api.cluster())
    now[0] += 60
    objects.learn([SETTINGS])
    assert set(objects.fresh) == {key_of(SETTINGS)}
    now[0] += live._FRESH_SECONDS
    assert objects.fresh == {}
    # A plan goes by what was listed, however long it takes.
    assert objects.find(SETTINGS) is not None
