"""What of a lab is on this machine, whatever its files say: found by name, so that nothing survives a crash."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from lab import cgroups, disks, mounts, processes
from lab.commands import call
from lab.instance import NAMESPACES, Instance


def namespaces(instance: Instance) -> tuple[Path, ...]:
    """Return the lab's network namespaces: its own and its hosts'."""
    own = instance.namespace_path()
    return tuple(path for path in (own, *sorted(NAMESPACES.glob(f"{instance.prefix}-*"))) if path.exists())


def running(instance: Instance) -> frozenset[int]:
    """Return every process of the lab, also of `lab run`, save this one and those it was started by."""
    prefix = f"--machine={instance.prefix}-"
    supervisors = {
        pid for pid in processes.everyone() if any(argument.startswith(prefix) for argument in processes.arguments(pid))
    }
    grouped: set[int] = set()
    for name in cgroups.named(f"{instance.prefix}-"):
        grouped |= cgroups.processes(name)
    pids = supervisors | grouped | processes.in_namespaces(namespaces(instance))
    return frozenset(pids) - processes.own_line()


def remove(instance: Instance) -> None:
    """End the lab's processes and take its mounts, namespaces, cables and control groups away."""
    ended = running(instance)
    groups = cgroups.named(f"{instance.prefix}-")
    processes.end(ended, groups=groups)
    for disk in instance.hosts.glob("*"):
        disks.unmount(instance, disk.name)
    mounts.unmount_below(instance.home)
    for path in namespaces(instance):
        # With the namespace go its bridges, cables and rules.
        call(("ip", "netns", "delete", path.name))
    for name in groups:
        cgroups.remove(name)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(instance.run)
    processes.await_reaped(ended)


def describe(instance: Instance) -> Sequence[str]:
    """Name everything of the lab that is on the machine now; nothing after `down`."""
    return (
        *(f"process {pid}" for pid in sorted(running(instance))),
        *(f"mount {point}" for point in mounts.mounted_below(instance.home)),
        *(f"namespace {path.name}" for path in namespaces(instance)),
        *(f"control group {name}" for name in cgroups.named(f"{instance.prefix}-")),
    )
