"""What Go's compiler keeps for the next time is bounded: programs are kept by themselves, and a disk is not endless."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lab import once, processes
from lab.commands import call

# Everything of a bundle leaves some 10 GiB behind, and takes a quarter of an hour to compile again.
MOST = 4 * 2**30
_GIB = 2**30


def bound(go: Path, say: once.Say, most: int = MOST) -> None:
    """
    Remove the archives of unpacked modules, and all compiled packages where they take more than `most` bytes.

    Nothing is removed while anybody compiles: packages that go meanwhile break what is being built.
    """
    if compiling(go):
        say("  compilers' caches stay as they are: somebody is compiling")
        return
    modules, packages = call((str(go), "env", "GOMODCACHE", "GOCACHE")).split("\n")[:2]
    freed = sum(_removed(archive) for archive in Path(modules).glob("cache/download/**/*.zip"))
    taken = sum(_sizes(Path(packages)))
    if taken > most:
        call((str(go), "clean", "-cache"), seconds=300)
        freed += taken
    if freed:
        say(f"  compilers' caches: {freed / _GIB:.1f} GiB freed")


def compiling(go: Path) -> bool:
    """Return whether a process of this machine runs the compiler; whoever asks runs none."""
    program = os.path.realpath(go)
    return any(_runs(pid, program) for pid in processes.everyone())


def _runs(pid: int, program: str) -> bool:
    try:
        return str(Path(f"/proc/{pid}/exe").readlink()) == program
    except OSError:
        return False


def _sizes(folder: Path) -> Iterator[int]:
    for place, _, files in os.walk(folder):
        for file in files:
            try:
                yield Path(place, file).stat().st_size
            except OSError:
                continue


def _removed(archive: Path) -> int:
    size = archive.stat().st_size
    archive.unlink(missing_ok=True)
    return size
