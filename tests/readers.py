"""Debian's programs that read configuration files, as `make readers` unpacks them without starting any."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
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
