"""Control groups of each host's own: made, found, removed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
_FROZEN = "freezer.state"
# By the file that says it, of version 1 and of version 2.
_USUAL_WEIGHT = {"cpu.shares": 1024, "cpu.weight": 100}


def hierarchies() -> tuple[Path, ...]:
    """Return the mounted hierarchies: one (version 2), or one for each controller (version 1)."""
    if (_MOUNT / "cgroup.controllers").exists():
        return (_MOUNT,)
    return tuple(
        sorted(
            entry for entry in _MOUNT.iterdir() if entry.is_dir() and not entry.is_symlink() and _is_hierarchy(entry)
        )
    )


def _is_hierarchy(folder: Path) -> bool:
    return (folder / "cgroup.procs").exists()


def version_2() -> bool:
    """Return whether this machine has only the unified hierarchy."""
    return (_MOUNT / "cgroup.controllers").exists()


def create(name: str, weight: int = 1) -> tuple[Path, ...]:
    """
    Make a group of this name in every hierarchy and return the files that a process enters them by.

    Where there is too little processor time for all, it gets `weight` times what a group has otherwise.
    """
    entries = []
    for top in hierarchies():
        group = top / name
        group.mkdir(exist_ok=True)
        if (group / "cgroup.clone_children").exists() and (group / "cpuset.cpus").exists():
            # A cpuset takes no process before it says which CPUs and memory nodes it has.
            (group / "cgroup.clone_children").write_text("1")
            for setting in ("cpuset.cpus", "cpuset.mems"):
                (group / setting).write_text((top / setting).read_text())
        for setting, usual in _USUAL_WEIGHT.items():
            if (group / setting).exists():
                (group / setting).write_text(str(usual * weight))
        entries.append(group / "cgroup.procs")
    return tuple(entries)


def exists(name: str) -> bool:
    """Return whether any hierarchy has a group of this name."""
    return any((top / name).is_dir() for top in hierarchies())


def named(prefix: str) -> tuple[str, ...]:
    """Return the names of groups that begin so, from every hierarchy."""
    names = {group.name for top in hierarchies() for group in top.glob(f"{prefix}*") if group.is_dir()}
    return tuple(sorted(names))


def processes(name: str) -> frozenset[int]:
    """Return the ids of all processes in the group of this name and below it."""
    ids: set[int] = set()
    for top in hierarchies():
        for folder, _, files in os.walk(top / name):
            if "cgroup.procs" in files:
                with contextlib.suppress(OSError):
                    ids.update(int(line) for line in (Path(folder) / "cgroup.procs").read_text().split())
    return frozenset(ids) - {0}


def thaw(name: str) -> None:
    """
    Let the processes go on that somebody froze in the group of this name or below it, as a container runtime does for a
    moment when it ends a container: in version 1 what is frozen does not end, whoever kills it.
    """
    for top in hierarchies():
        if (top / name / _FROZEN).exists():
            for folder, _, _ in os.walk(top / name):
                with contextlib.suppress(OSError):
                    (Path(folder) / _FROZEN).write_text("THAWED")


def leave(name: str) -> None:
    """
    Take this process out of the group of this name, as when a host that asked for its reboot is booted by its
    supervisor.
    """
    if os.getpid() in processes(name):
        for top in hierarchies():
            (top / "cgroup.procs").write_text("0")


def remove(name: str) -> None:
    """Remove the group of this name and all below it; its processes must have ended."""
    leave(name)
    for top in hierarchies():
        for folder, _, _ in os.walk(top / name, topdown=False):
            with contextlib.suppress(FileNotFoundError):
                Path(folder).rmdir()
