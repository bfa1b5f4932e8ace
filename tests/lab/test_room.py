"""A lab says before it boots that the disk is too small for it, and does not begin where there is no room at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import instance, lifecycle, plan, prerequisites, room, roots
from lab.errors import LabError
from lab.instance import Instance

_GIB = 2**30
_HERE = Path("/var/lib/matrix-fleet")


def test_a_lab_with_room_says_nothing() -> None:
    wanted = plan.fresh("matrix", bare=True, suite="bookworm")
    assert room.judge(wanted, _HERE, room.need(wanted)) == ""


def test_a_lab_that_may_fill_the_disk_says_so_with_what_it_takes_and_what_there_is() -> None:
    wanted = plan.fresh("matrix", bare=True, suite="bookworm")
    warning = room.judge(wanted, _HERE, 10 * _GIB)
    assert "10.0 GiB free" in warning
    assert "matrix, bare, bookworm" in warning
    assert f"{room.need(wanted) / _GIB:.0f} GiB" in warning
    assert "evict" in warning
    assert "lab down" in warning


@pytest.mark.parametrize(("bare", "available"), [(True, 4 * _GIB - 1), (False, _GIB - 1)])
def test_a_lab_without_room_is_refused(bare: bool, available: int) -> None:
    with pytest.raises(LabError, match="make room"):
        room.judge(plan.fresh("small", bare=bare, suite="bookworm"), _HERE, available)


def test_a_lab_without_a_cluster_takes_little() -> None:
    without, cluster = (room.need(plan.fresh("reference", bare=bare, suite="bookworm")) for bare in (False, True))
    assert without < 2 * _GIB < 10 * _GIB < cluster
    assert cluster < room.need(plan.fresh("matrix", bare=True, suite="bookworm"))


def test_what_is_free_is_asked_of_the_disk_that_the_folder_will_be_on(tmp_path: Path) -> None:
    assert room.free(tmp_path / "not" / "there" / "yet") > 0


@pytest.mark.parametrize(("gib", "end", "warned"), [(1, "make room", False), (5, "would build", True)])
def test_a_lab_looks_for_room_before_it_builds_anything(
    gib: int, end: str, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_: object) -> None:
        raise LabError("would build")

    # Nothing of this lab is there to be taken down, and its first step ends it.
    monkeypatch.setattr(instance, "STATE", tmp_path)
    monkeypatch.setattr(lifecycle, "RUN", tmp_path)
    monkeypatch.setattr(prerequisites, "check", lambda: None)
    monkeypatch.setattr(lifecycle, "tear_down", lambda _: None)
    monkeypatch.setattr(roots, "ensure", build)
    monkeypatch.setattr(room, "free", lambda _: gib * _GIB)
    said: list[str] = []
    with pytest.raises(LabError, match=end):
        lifecycle.up(Instance("none"), plan.fresh("matrix", bare=True, suite="bookworm"), said.append)
    assert any(line.startswith("warning: ") and "5.0 GiB free" in line for line in said) is warned
