"""What becomes of a step that an earlier run of bootstrap left under way."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from nornir.core.inventory import Host

from flows._cluster.phases import members
from model.errors import HostError
from model.host.node import NodeFacts
from tasks import kubeadm

_UNDER_WAY = NodeFacts(mark="started join", running=True, kubelet=False, plane=False)
_MEMBER = NodeFacts(mark="done join", running=False, kubelet=True, plane=True)
_BROKEN = NodeFacts(mark="started join", running=False, kubelet=False, plane=False)


def _cluster_run(now: NodeFacts, later: NodeFacts) -> Any:
    return SimpleNamespace(facts={"cp-2": now}, dry_run=False, look_again=lambda _name: later)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done on hosts, in order."""
    seen: list[str] = []
    for name in ("await_step", "reset"):
        monkeypatch.setattr(kubeadm, name, lambda _host, name=name: seen.append(name))
    return seen


@pytest.mark.parametrize(
    ("later", "way", "expected"),
    [(_MEMBER, False, ["await_step"]), (_BROKEN, True, ["await_step", "reset"])],
)
def test_a_step_under_way_is_waited_for(later: NodeFacts, way: bool, expected: list[str], done: list[str]) -> None:
    assert members._ready(_cluster_run(_UNDER_WAY, later), Host("cp-2")) is way
    assert done == expected


def test_a_step_that_cannot_be_waited_for_is_left_alone(done: list[str]) -> None:
    with pytest.raises(HostError, match="an earlier run's step is still under way"):
        members._ready(_cluster_run(_UNDER_WAY, _UNDER_WAY), Host("cp-2"))
    assert done == ["await_step"]
