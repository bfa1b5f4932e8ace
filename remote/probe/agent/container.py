"""The agent's own move into the network of one of its host's containers, before it opens any socket."""

from __future__ import annotations

import os
import re
from pathlib import Path

from remote.probe.agent.channel import BadMessage

NAME = re.compile(r"[0-9a-f]{12,64}")
RUNTIME = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"
CLONE_NEWNET = 0x40000000


def enter(name: str, runtime: str = RUNTIME) -> None:
    """
    Move into the network that the container's first process has; `name` is the runtime's own.

    Raises BadMessage for what is no such name, or where no such container runs.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BadMessage(f"no container's name: {str(name)[:80]}")
    try:
        pid = int(Path(runtime, name, "init.pid").read_text("ascii"))
        descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    except (OSError, ValueError) as error:
        raise BadMessage(f"container {name[:12]} does not run here: {error}") from error
    try:
        _setns(descriptor)
    finally:
        os.close(descriptor)


def _setns(descriptor: int) -> None:
    # Python has it from 3.12 on.
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
