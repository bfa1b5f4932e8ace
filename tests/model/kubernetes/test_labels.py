"""Claims about the labels and taints that roles give to nodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.kubernetes.cluster import Node, read_node
from model.kubernetes.labels import CONTROL_PLANE, labels, plan, taints
from model.kubernetes.nodepatch import NodePatch
from tests.mutation import loaded

SITE = loaded()
FIVE = loaded(Path(__file__).parents[2] / "data" / "five-servers")
KUBEADM = {"key": CONTROL_PLANE.key, "effect": CONTROL_PLANE.effect}


def node(name: str, seen: Mapping[str, str] | None = None, tainted: list[dict[str, str]] | None = None) -> Node:
    meta = {"name": name, "labels": dict(seen or {}), "resourceVersion": "7"}
    return read_node({"metadata": meta, "spec": {"taints": tainted or []}, "status": {}})


def obey(seen: Node, patch: NodePatch) -> Node:
    """Do to a node in memory what the API server does with a merge patch."""
    meta = patch.body.get("metadata", {})
    kept = {key: value for key, value in {**seen.labels, **meta.get("labels", {})}.items() if value is not None}
    written: Any = [{"key": t.key, "value": t.value, "effect": t.effect} for t in seen.taints]
    if "spec" in patch.body:
        written = patch.body["spec"]["taints"] or []
    return node(seen.name, kept, written)


def test_the_requirements_own_labels_and_taints_are_there() -> None:
    assert labels(SITE, SITE.by_name["mon-1"]) == {"matrix-fleet.io/role-monitoring": "true", "monitoring": "true"}
    assert [str(taint) for taint in taints(SITE, SITE.by_name["mon-1"])] == ["monitoring=true:NoSchedule"]
    assert labels(SITE, SITE.by_name["call-1"])["livekit"] == "true"
    assert [str(taint) for taint in taints(SITE, SITE.by_name["li-1"])] == ["matrix-fleet.io/role-li=true:NoSchedule"]


def test_a_host_with_two_roles_carries_both() -> None:
    assert set(labels(SITE, SITE.by_name["st-1"])) == {"matrix-fleet.io/role-storage", "matrix-fleet.io/role-worker"}


@pytest.mark.parametrize("machine", [m for m in SITE.servers if m.node], ids=lambda machine: machine.name)
def test_what_was_planned_leaves_nothing_to_do(machine) -> None:  # type: ignore[no-untyped-def]
    before = node(machine.name, {"theirs": "1", "matrix-fleet.io/role-gone": "true"}, [KUBEADM])
    (todo,) = plan(SITE, [before])
    assert plan(SITE, [obey(before, todo)]) == ()


def test_what_no_longer_applies_goes_and_others_stay() -> None:
    seen = {"monitoring": "true", "livekit": "mine", "rack": "7", "matrix-fleet.io/pod-network": "true"}
    tainted = [{"key": "monitoring", "value": "true", "effect": "NoSchedule"}, {"key": "gpu", "effect": "NoExecute"}]
    (todo,) = plan(SITE, [node("w-1", seen, tainted)])
    after = obey(node("w-1", seen, tainted), todo)
    assert "monitoring" not in after.labels
    assert {**seen, **after.labels}["livekit"] == "mine"
    assert (after.labels["rack"], after.labels["matrix-fleet.io/pod-network"]) == ("7", "true")
    assert [str(taint) for taint in after.taints] == ["gpu:NoExecute"]
    assert todo.lines == (
        "+ w-1: label matrix-fleet.io/role-worker=true",
        "- w-1: label monitoring",
        "- w-1: taint monitoring=true:NoSchedule",
    )


def test_taints_are_replaced_for_the_seen_revision_only() -> None:
    (todo,) = plan(SITE, [node("li-1")])
    assert todo.body["metadata"]["resourceVersion"] == "7"
    (todo,) = plan(SITE, [node("w-1")])
    assert "resourceVersion" not in todo.body["metadata"]


def test_a_control_plane_keeps_kubeadms_taint_unless_it_is_a_worker_too() -> None:
    (todo,) = plan(SITE, [node("cp-1", {}, [KUBEADM])])
    assert "spec" not in todo.body
    (todo,) = plan(FIVE, [node("n-1", {}, [KUBEADM])])
    assert todo.body["spec"] == {"taints": None}


def test_a_node_that_the_site_does_not_know_is_left_alone() -> None:
    assert plan(SITE, [node("stranger", {"matrix-fleet.io/role-li": "true"})]) == ()


KEYS = st.sampled_from(["monitoring", "livekit", "rack", "matrix-fleet.io/role-li", "matrix-fleet.io/role-worker"])
TAINTS = st.fixed_dictionaries(
    {
        "key": st.sampled_from(["monitoring", "matrix-fleet.io/role-li", "gpu"]),
        "value": st.sampled_from(["true", "x"]),
        "effect": st.sampled_from(["NoSchedule", "NoExecute"]),
    }
)


@given(
    st.dictionaries(KEYS, st.sampled_from(["true", "x"])),
    st.lists(TAINTS, unique_by=lambda taint: (taint["key"], taint["effect"])),
    st.sampled_from([machine.name for machine in SITE.servers]),
)
def test_planning_twice_never_finds_more(seen: dict[str, str], tainted: list[dict[str, str]], name: str) -> None:
    before = node(name, seen, tainted)
    for todo in plan(SITE, [before]):
        after = obey(before, todo)
        assert plan(SITE, [after]) == ()
        assert [t for t in before.taints if t.key == "gpu"] == [t for t in after.taints if t.key == "gpu"]
