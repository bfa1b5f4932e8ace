"""What becomes of a step that an earlier run of bootstrap left under way."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from nornir.core.inventory import Host

from flows._cluster.cluster_run import ClusterRun
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


@pytest.mark.parametrize(
    ("held", "says", "step"),
    [
        ("aa", "was a node of this cluster, has left it", "python -m flows.nodes reset cp-2 --yes"),
        ("bb", "remains of another cluster", "look at /etc/kubernetes"),
        ("", "nobody can tell of which", "look at /etc/kubernetes"),
    ],
)
def test_of_which_cluster_the_remains_are_is_told_by_its_authority(held: str, says: str, step: str) -> None:
    left = NodeFacts(mark="removed", running=False, kubelet=True, plane=False, authority=held)
    facts = {"cp-2": left, "cp-1": replace(_MEMBER, authority="aa")}
    run = cast(ClusterRun, SimpleNamespace(facts=facts, members=("cp-1",), dry_run=False))
    with pytest.raises(HostError, match=says) as caught:
        members._ready(run, Host("cp-2"))
    assert step in caught.value.next_step
