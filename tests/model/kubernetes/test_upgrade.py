"""Which versions a cluster may go to."""

from __future__ import annotations

import pytest

from model.kubernetes.upgrade import Running, behind, numbers, objection

OLD = Running("w-1", "v1.36.3", "", "containerd://2.4.2")
PLANE = Running("cp-1", "v1.36.3", "v1.36.3", "containerd://2.4.2")


def test_the_next_minor_version_is_one_step() -> None:
    assert objection((OLD, PLANE), "1.37.2") == ""


def test_a_patch_is_a_step_too() -> None:
    assert objection((OLD, PLANE), "1.36.4") == ""


def test_a_version_may_not_be_skipped() -> None:
    assert "skips a minor version: go to 1.37 first" in objection((OLD, PLANE), "1.38.0")


def test_nothing_goes_back() -> None:
    assert "never goes back" in objection((OLD, PLANE), "1.35.9")
    assert "never goes back" in objection((OLD, PLANE), "1.36.2")


def test_a_cluster_left_half_way_goes_on() -> None:
    assert objection((OLD, Running("cp-1", "v1.36.3", "v1.37.2")), "1.37.2") == ""


def test_half_way_it_may_not_turn_back() -> None:
    assert "cp-1: its API server" in objection((OLD, Running("cp-1", "v1.36.3", "v1.37.2")), "1.36.3")


def test_what_is_behind_is_said() -> None:
    assert behind(PLANE, "1.37.2", "2.5.0") == (
        "control plane v1.36.3 -> 1.37.2",
        "kubelet v1.36.3 -> 1.37.2",
        "containerd 2.4.2 -> 2.5.0",
    )
    assert behind(PLANE, "1.36.3", "2.4.2") == ()


def test_what_is_no_version_is_an_error() -> None:
    with pytest.raises(ValueError, match="no version"):
        numbers("latest")
