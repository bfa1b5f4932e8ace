"""The images that a kubeadm wants, by its own word, on a machine that can run it."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_SECONDS = 60


def runs_here(architecture: str) -> bool:
    """Return whether programs of an architecture run on this machine."""
    return platform.machine() == _MACHINES[architecture]


def wanted_images(program: Path, version: str) -> tuple[str, ...] | None:
    """
    Return names and tags of the images; None where the program does not run here (a folder mounted noexec, another C
    library).
    """
    argv = (str(program), "config", "images", "list", "--kubernetes-version", f"v{version}")
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return tuple(done.stdout.split())
