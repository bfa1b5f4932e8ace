"""Hosts leave only where etcd bears it, and where one member alone would stay only if that was agreed to."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from flows._cluster.departure.look import Departure, refuse
from flows._cluster.departure.node_removal import _warned
from model.errors import PlanRefused
from model.kubernetes.quorum import Seat


def leaving(
    *names: str,
    healthy: dict[str, bool] | None = None,
    exposed: bool = False,
    dry: bool = False,
    say: Callable[[str], None] = print,
) -> Departure:
    """Return hosts that leave a cluster of three control planes and a worker, with --yes."""
    members = healthy or dict.fromkeys(("cp-1", "cp-2", "cp-3"), True)
    site = SimpleNamespace(by_name={name: SimpleNamespace(node="control_plane") for name in members})
    options = SimpleNamespace(yes=True)
    cluster_run: Any = SimpleNamespace(
        names=names, facts={}, site=site, context=SimpleNamespace(options=options, say=say), dry_run=dry
    )
    states: Any = tuple(SimpleNamespace(seat=Seat(name, True, well)) for name, well in members.items())
    nothing: Any = None
    return Departure(cluster_run, "remove", nothing, nodes={}, states=states, exposed=exposed)


@pytest.mark.parametrize("dry", [False, True])
def test_what_leaves_a_single_member_is_refused_by_name(dry: bool) -> None:
    with pytest.raises(PlanRefused, match="left with 1 of 3 member") as refused:
        refuse(leaving("cp-1", "cp-2", dry=dry))
    assert "--without-tolerance" in refused.value.next_step


def test_who_agreed_to_it_by_name_is_not_asked_again() -> None:
    refuse(leaving("cp-1", "cp-2", exposed=True))


def test_what_leaves_two_of_three_members_says_what_the_next_loss_would_do() -> None:
    heard: list[str] = []
    going = leaving("cp-3", say=heard.append)
    refuse(going)
    (warning,) = _warned(going)
    assert "left with 2 of 3 members (cp-1, cp-2): with the next loss the cluster would stand still" in warning.message
    assert heard == [warning.message]


def test_a_dead_control_plane_leaves_without_more_words() -> None:
    refuse(leaving("cp-3", healthy={"cp-1": True, "cp-2": True, "cp-3": False}))


def test_a_worker_takes_nothing_of_etcd_with_it() -> None:
    refuse(leaving("w-1"))
    assert list(_warned(leaving("w-1"))) == []


def test_no_consent_lets_quorum_be_lost() -> None:
    with pytest.raises(PlanRefused, match="no quorum"):
        refuse(leaving("cp-2", healthy={"cp-1": True, "cp-2": True, "cp-3": False}, exposed=True))


def test_the_whole_cluster_may_end() -> None:
    every = leaving("cp-1", "cp-2", "cp-3")
    every.everybody, every.kind = True, "reset"
    refuse(every)
