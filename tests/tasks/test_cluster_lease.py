"""The lease of a rollout is only held as long as it can be renewed."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from model.errors import KubernetesError, LockHeld
from remote.kube import Cluster
from tasks.rollout import lease
from tasks.rollout.lease import ClusterLease


class ShortApi:
    """An API server that gives the lease and then has every further request fail with a status."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.given = False
        self.asked = threading.Event()

    def find(self, _path: str) -> dict[str, Any] | None:
        if self.given:
            self._fail()
        return None

    def create(self, _path: str, _manifest: dict[str, Any]) -> dict[str, Any]:
        self.given = True
        return {"metadata": {"resourceVersion": "1"}}

    def patch(self, _path: str, _body: dict[str, Any]) -> dict[str, Any]:
        self._fail()
        raise AssertionError

    def _fail(self) -> None:
        self.asked.set()
        raise KubernetesError("cp-1", "PATCH", "is away", "look", status=self.status)


@pytest.mark.parametrize("status", [0, 409, 500], ids=["away", "conflict", "error"])
def test_a_lease_that_cannot_be_renewed_is_not_taken_for_ours(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "SECONDS", 0.6)
    api = ShortApi(status)
    mine = ClusterLease(cast(Cluster, api), "me")
    mine.take()
    mine.check()
    try:
        assert api.asked.wait(5)
        with pytest.raises(LockHeld, match="could not be renewed"):
            _checked(mine)
    finally:
        mine.give_back()


def _checked(mine: ClusterLease) -> None:
    for _ in range(100):
        mine.check()
        threading.Event().wait(0.05)
