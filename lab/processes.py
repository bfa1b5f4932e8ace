"""Processes of a lab, found by what the kernel says of them and never by a file of ours alone; and their end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from lab import cgroups
from lab.errors import LabError

_PROC = Path("/proc")


def arguments(pid: int) -> tuple[str, ...]:
    """Return a process's argument vector; empty when it has ended."""
    with contextlib.suppress(OSError):
        return tuple((_PROC / str(pid) / "cmdline").read_text("utf-8", "replace").split("\0"))
    return ()


def with_argument(argument: str) -> frozenset[int]:
    """Return processes one of whose arguments is exactly this."""
    return frozenset(pid for pid in everyone() if argument in arguments(pid))


def in_namespaces(files: Iterable[Path]) -> frozenset[int]:
    """Return processes whose network is one of these namespaces."""
    wanted = set()
    for file in files:
        with contextlib.suppress(OSError):
            wanted.add(file.stat().st_ino)
    return frozenset(pid for pid in everyone() if _network(pid) in wanted)


def _network(pid: int) -> int:
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "ns/net").stat().st_ino
    return 0


def everyone() -> tuple[int, ...]:
    """Return the ids of all processes."""
    return tuple(int(entry.name) for entry in os.scandir(_PROC) if entry.name.isdigit())


def children(pid: int) -> tuple[int, ...]:
    """Return the ids of a process's children, of all its threads."""
    pids: list[int] = []
    for task in (_PROC / str(pid) / "task").glob("*/children"):
        with contextlib.suppress(OSError):
            pids += [int(child) for child in task.read_text().split()]
    return tuple(pids)


def own_line() -> frozenset[int]:
    """Return this process and its ancestors, which a lab taken down from inside itself must spare."""
    line, pid = set(), os.getpid()
    while pid > 0:
        line.add(pid)
        try:
            pid = int((_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
    return frozenset(line)


def end(pids: Iterable[int], number: int = signal.SIGKILL, seconds: float = 10, *, groups: Iterable[str] = ()) -> None:
    """
    Signal each process by its id and wait until all have ended.

    `groups` names their control groups, which are thawed once nobody is left who could freeze them again. Raises
    LabError when one is still there after `seconds`.
    """
    handles = {}
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            handles[os.pidfd_open(pid)] = pid
    try:
        for handle in handles:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
        for group in groups:
            cgroups.thaw(group)
        left = _await_end(handles, seconds)
    finally:
        for handle in handles:
            os.close(handle)
    if left:
        raise LabError(f"processes {sorted(left)} did not end within {seconds:.0f} s of signal {number}")


def await_reaped(pids: Iterable[int], seconds: float = 3) -> None:
    """
    Wait until ended processes have left the process table, for `seconds` at most.

    Orphans are the machine's first process's to reap, which some do by the second; a listing right after should not
    show them.
    """
    deadline, left = time.monotonic() + seconds, set(pids)
    while (left := {pid for pid in left if _is_zombie(pid)}) and time.monotonic() < deadline:
        # No event tells of a reaping that is not ours.
        time.sleep(0.02)


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(OSError, IndexError):
        return (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] == "Z"
    return False


def _await_end(handles: dict[int, int], seconds: float) -> set[int]:
    deadline, left = time.monotonic() + seconds, dict(handles)
    poll = select.poll()
    for handle in left:
        poll.register(handle, select.POLLIN)
    while left and (rest := deadline - time.monotonic()) > 0:
        for handle, _ in poll.poll(rest * 1000):
            poll.unregister(handle)
            _reap(left.pop(handle))
    return set(left.values())


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
