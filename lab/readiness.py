"""When a host is up: when its systemd says so, sshd included."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

_READY = b"READY=1"


@dataclass(slots=True)
class BootProcess:
    """A host on its way up: its process, and the socket its systemd says READY=1 on."""

    host: str
    process: subprocess.Popen[bytes]
    notices: socket.socket
    ready: bool = False


def await_ready(boots: Sequence[BootProcess], consoles: Mapping[str, Path], seconds: float) -> None:
    """
    Wait until every host's systemd has reached its default target, sshd included.

    Raises LabError naming the hosts that ended or took longer than `seconds`, with the end of their consoles.
    """
    deadline = time.monotonic() + seconds
    poll = select.poll()
    sources: dict[int, BootProcess] = {}
    for boot in boots:
        for descriptor in (boot.notices.fileno(), os.pidfd_open(boot.process.pid)):
            sources[descriptor] = boot
            poll.register(descriptor, select.POLLIN)
    dead: set[str] = set()
    try:
        while _waiting(boots, dead) and (rest := deadline - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(rest * 1000):
                boot = sources[descriptor]
                if descriptor == boot.notices.fileno():
                    boot.ready |= _READY in boot.notices.recv(4096).split(b"\n")
                else:
                    dead.add(boot.host)
                    poll.unregister(descriptor)
    finally:
        _close(boots, sources)
    late = [boot.host for boot in boots if not boot.ready]
    if late:
        tails = "\n".join(f"{host}: {_tail(consoles[host])}" for host in late[:3])
        raise LabError(f"not up within {seconds:.0f} s: {', '.join(late)}\n{tails}")


def _waiting(boots: Sequence[BootProcess], dead: set[str]) -> bool:
    return any(not boot.ready and boot.host not in dead for boot in boots)


def _close(boots: Sequence[BootProcess], sources: Mapping[int, BootProcess]) -> None:
    for descriptor, boot in sources.items():
        if descriptor != boot.notices.fileno():
            os.close(descriptor)
    for boot in boots:
        path = boot.notices.getsockname()
        boot.notices.close()
        Path(path).unlink(missing_ok=True)


def _tail(console: Path) -> str:
    return " | ".join(console.read_text("utf-8", "replace").splitlines()[-5:]) if console.exists() else "no console"
