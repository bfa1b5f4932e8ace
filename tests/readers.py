"""Debian's programs that read configuration files, as `make readers` unpacks them without starting any."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

FOLDER = Path(sys.prefix) / "readers"


def unpacked(path: str) -> Path:
    """Return a file of the packages; a test that needs it and has it not fails."""
    if not (FOLDER / path).exists():
        pytest.fail(f"there is no {path} of Debian's packages: run `make readers`")
    return FOLDER / path


def environment() -> Mapping[str, str]:
    """Return what lets the programs find each other and their libraries, and nothing else of who runs the tests."""
    libraries = ":".join(map(str, sorted(FOLDER.glob("usr/lib/*-linux-gnu"))))
    return {"PATH": f"{FOLDER}/usr/bin:{FOLDER}/usr/sbin:{os.defpath}", "LD_LIBRARY_PATH": libraries}


def listens(process: subprocess.Popen[bytes], port: int, seconds: float = 20.0) -> bool:
    """Wait until a program listens on a port of loopback, and return whether it does."""
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
        time.sleep(0.02)
    return False
