"""Python packages of a lock file, put where Debian's Python looks for what is not Debian's."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from lab import layers
from lab.commands import logged
from lab.errors import LabError

LOCKS = Path(__file__).with_name("python")
PLACE = "usr/local/lib/python3.11/dist-packages"
# Whatever Python builds the bundle, these are for Debian 12's.
_PYTHON = ("--python-version", "3.11.2", "--implementation", "cp", "--abi", "cp311", "--abi", "abi3", "--abi", "none")
_OLDER = ("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64")
_GLIBC = 36
_COMPILED = ("usr/lib/python3.11", PLACE, "usr/lib/python3/dist-packages")
_SECONDS = 900


def lock_files(name: str) -> tuple[Path, ...]:
    """Return the lock file of a package, or nothing for no package."""
    return (LOCKS / f"{name}.lock",) if name else ()


def version(name: str) -> str:
    """Return the version that the lock file has of the package it is named after."""
    (lock,) = lock_files(name)
    pinned = re.search(rf"^{re.escape(name)}==(\S+)", lock.read_text("utf-8"), re.MULTILINE)
    if not pinned:
        raise LabError(f"{lock} pins no {name}")
    return pinned[1]


def install(root: Path, name: str, log: Path) -> None:
    """
    Install the lock file's packages into a root; where it has a Python, their byte code too.

    Byte code that names no time is the same on every machine, and valid whatever time the files get.
    """
    (lock,) = lock_files(name)
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(_GLIBC, 4, -1)]
    argv = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "--no-compile", *_PYTHON]
    argv += [word for platform in (*platforms, *_OLDER) for word in ("--platform", platform)]
    logged((*argv, "--target", str(root / PLACE), "-r", str(lock)), log, seconds=_SECONDS)
    if (root / "usr/bin/python3.11").exists():
        folders = [f"/{folder}" for folder in _COMPILED if (root / folder).is_dir()]
        compiler = ("python3.11", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash")
        layers.inside(root, (*compiler, "-x", r"/(lib2to3/tests|test)/", *folders), log)
