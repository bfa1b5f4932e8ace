"""Every condition of a node is judged, and what is not known is never taken for good."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.kubernetes.cluster import Node, Taint, read_node
from model.kubernetes.condition import NodeCondition
from model.kubernetes.node_conditions import NETWORK, PRESSURES, judge, left_over, of_conditions

WELL = {"Ready": "True", **dict.fromkeys((*PRESSURES, NETWORK), "False")}


def conditions(**status: str | None) -> tuple[NodeCondition, ...]:
    said = {**WELL, **status}
    return tuple(NodeCondition(kind=kind, status=value, message="seeded") for kind, value in said.items() if value)


def test_a_node_that_is_well_has_nothing_against_it() -> None:
    verdict = judge(conditions())
    assert (verdict.wrong, verdict.unknown, verdict.strange) == ((), (), ())


@pytest.mark.parametrize("kind", [*PRESSURES, NETWORK, "KernelDeadlock", "ReadonlyFilesystem"])
def test_a_trouble_that_is_true_is_wrong(kind: str) -> None:
    verdict = judge(conditions(**{kind: "True"}))
    assert [kind in words and "seeded" in words for words in verdict.wrong] == [True]


@pytest.mark.parametrize("kind", [*PRESSURES, NETWORK, "Custom"])
def test_a_status_that_nobody_knows_is_unproven(kind: str) -> None:
    verdict = judge(conditions(**{kind: "Unknown"}))
    assert (verdict.wrong, verdict.unknown) == ((), (f"{kind} is Unknown (seeded)",))


@pytest.mark.parametrize("kind", PRESSURES)
def test_a_pressure_of_which_nothing_is_said_is_unproven(kind: str) -> None:
    assert judge(conditions(**{kind: None})).unknown == (f"it says nothing of {kind}",)


def test_a_pod_network_that_says_nothing_is_no_doubt() -> None:
    assert judge(conditions(NetworkUnavailable=None)) == judge(conditions())


@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_a_node_that_is_not_ready_is_wrong(status: str) -> None:
    assert judge(conditions(Ready=status)).wrong == ("is not ready: seeded",)


def test_a_silent_kubelet_is_one_cause_and_told_once() -> None:
    verdict = judge(conditions(**dict.fromkeys(WELL, "Unknown")))
    assert (verdict.wrong, verdict.unknown) == (("is not ready: seeded",), ())


def test_without_a_word_a_node_is_not_ready() -> None:
    assert judge(()).wrong == ("is not ready: it has said nothing yet",)


def test_a_condition_of_somebody_elses_is_named() -> None:
    assert judge(conditions(EtcdIsVoter="True")).strange == ("EtcdIsVoter True",)


@given(st.fixed_dictionaries({kind: st.sampled_from(["True", "False", "Unknown", ""]) for kind in WELL}))
def test_only_a_node_of_which_all_is_known_to_be_well_has_nothing_against_it(said: dict[str, str]) -> None:
    verdict = judge(conditions(**said))
    good = {kind: value for kind, value in said.items() if value or kind != NETWORK}
    assert (not verdict.wrong and not verdict.unknown) == (good.items() <= WELL.items())


def _node(key: str, **status: str | None) -> Node:
    bare = read_node({"metadata": {"name": "w-1"}})
    return replace(bare, taints=(Taint(key, "", "NoSchedule"),), conditions=conditions(**status))


def test_a_taint_of_a_condition_is_explained_by_it_alone() -> None:
    key = "node.kubernetes.io/disk-pressure"
    assert of_conditions(_node(key, DiskPressure="True")) == (f"{key}:NoSchedule",)
    assert left_over(_node(key, DiskPressure="True")) == ()
    assert (of_conditions(_node(key)), left_over(_node(key))) == ((), (f"{key}:NoSchedule",))
    assert (of_conditions(_node("role")), left_over(_node("role"))) == ((), ())
    unreachable = _node("node.kubernetes.io/unreachable", Ready="Unknown")
    assert (len(of_conditions(unreachable)), left_over(unreachable)) == (1, ())
