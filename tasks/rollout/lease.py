"""The lease of a rollout: taken before its first write, renewed while it runs, given back at its end."""

from __future__ import annotations

import getpass
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import KubernetesError, LockHeld
from model.rollout.lease import NAME, NAMESPACE, PATH, SECONDS, LeaseHolder, held, read

if TYPE_CHECKING:
    from remote.kube import Cluster

_PATH = f"{PATH}/{NAME}"
_CONFLICT = 409
_TRIES = 3


class ClusterLease:
    """A lease that is held; `lost` says who took it, where somebody did."""

    def __init__(self, cluster: Cluster, holder: str) -> None:
        self._cluster, self._holder = cluster, holder
        self._over = threading.Event()
        self._version = ""
        self._renewed = time.monotonic()
        self.lost = ""
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def take(self) -> None:
        """Take it; raises `LockHeld` naming the holder and how long it holds."""
        for _ in range(_TRIES):
            if self._taken():
                self._thread.start()
                return
        raise LockHeld(f"the lease {NAMESPACE}/{NAME} changes hands faster than it can be taken", "run again")

    def check(self) -> None:
        """Raise `LockHeld` where another run has taken it meanwhile: nothing more may be written."""
        if self.lost:
            raise LockHeld(self.lost, "see what the other run does; run again when it has ended")
        if time.monotonic() - self._renewed > SECONDS:
            words = f"the rollout's lease could not be renewed for {SECONDS} s: another run may have taken it"
            raise LockHeld(words, "is the API reached? run again: what was done is kept")

    def give_back(self) -> None:
        """Let it go; one that cannot be given back expires by itself."""
        self._over.set()
        self._thread.join()
        if not self.lost:
            try:
                self._write(held("", datetime.now(UTC), self._version, taken=False))
            except KubernetesError:
                return

    def _taken(self) -> bool:
        now, asked = datetime.now(UTC), time.monotonic()
        found = self._cluster.find(_PATH)
        try:
            if found is None:
                made = self._cluster.create(PATH, held(self._holder, now))
            else:
                holder = read(found)
                if not holder.free(now) and not is_dead(holder.holder):
                    raise LockHeld(_held_by(holder, now), "wait for it to end, or look at what it does there")
                made = self._cluster.patch(_PATH, held(self._holder, now, holder.version))
        except KubernetesError as error:
            if error.status != _CONFLICT:
                raise
            return False
        self._version, self._renewed = made["metadata"]["resourceVersion"], asked
        return True

    def _renew(self) -> None:
        while not self._over.wait(SECONDS / 3):
            asked = time.monotonic()
            try:
                if other := self._renewed_or_other():
                    self.lost = f"the rollout's lease was taken over by {other}"
                    return
            except KubernetesError:
                # Tried again; `check` counts the seconds.
                continue
            self._renewed = asked

    def _renewed_or_other(self) -> str:
        """Renew it; return who holds it instead of us, empty where it is ours."""
        try:
            self._write(held(self._holder, datetime.now(UTC), self._version, taken=False))
        except KubernetesError as error:
            if error.status != _CONFLICT:
                raise
            return self._other()
        return ""

    def _other(self) -> str:
        """Return who holds it instead of us, empty where it is ours under a newer version."""
        found = self._cluster.find(_PATH)
        if found is None:
            return "nobody: somebody deleted it"
        holder = read(found)
        self._version = holder.version
        return "" if holder.holder == self._holder else holder.holder or "nobody"

    def _write(self, lease: dict[str, object]) -> None:
        self._version = self._cluster.patch(_PATH, lease)["metadata"]["resourceVersion"]


@contextmanager
def cluster_lease(cluster: Cluster) -> Iterator[ClusterLease]:
    """Hold the lease while the block runs. Raises `LockHeld`."""
    lease = ClusterLease(cluster, own_name())
    lease.take()
    try:
        yield lease
    finally:
        lease.give_back()


def own_name() -> str:
    """Return what this process is called in the lease: `user@host process 4711 (4026531836)`."""
    return f"{getpass.getuser()}@{socket.gethostname()} process {os.getpid()} ({_processes()})"


def is_dead(holder: str) -> bool:
    """Tell whether the holder was a process of this machine that is no more, as one that was killed."""
    found = re.fullmatch(r"[^@]*@(\S+) process (\d+) \((\d+)\)", holder)
    if found is None or found[1] != socket.gethostname() or int(found[3]) != _processes():
        return False
    return not Path(f"/proc/{found[2]}").exists()


def _processes() -> int:
    """Return the number of the set of processes that this one can see: those of a container are others."""
    return Path("/proc/self/ns/pid").stat().st_ino


def _held_by(holder: LeaseHolder, now: datetime) -> str:
    seconds = max(1, round((holder.until - now).total_seconds()))
    return f"{holder.holder} is rolling out on this cluster (lease {NAMESPACE}/{NAME}, holds {seconds} s more)"
