"""The lock of a site: whether another run is at work on it from this folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from model.errors import LockHeld

NAME = "lock"


@contextmanager
def site_lock(directory: Path, flow: str) -> Iterator[None]:
    """
    Hold `directory`/state/lock while the block runs.

    Flows that change a host, a cluster or `state/` take it; dry runs and flows that only look do not, so that they can
    run beside. The kernel gives the lock back when the process dies. Raises `LockHeld` with who holds it, and since
    when.
    """
    folder = directory / "state"
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 500).decode("utf-8", "replace").strip() or "somebody who left no name"
            raise LockHeld(f"{folder / NAME} is held by {holder}; wait for it to end, then run again") from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{flow}, process {os.getpid()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode())
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)
