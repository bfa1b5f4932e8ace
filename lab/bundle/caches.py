"""What Go's compiler keeps for the next time is bounded: programs are kept by themselves, and a disk is not endless."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lab import once, processes
from lab.instance import CACHE

# Everything of a bundle leaves some 10 GiB behind, and takes a quarter of an hour to compile again.
MOST = 4 * 2**30
# The lab's own, beside the programs: what else somebody compiles on this machine is not ours to tidy.
FOLDER = CACHE / "go"
_GIB = 2**30


def environment(folder: Path = FOLDER) -> dict[str, str]:
    """Return the variables that lead the compiler to its caches."""
    return {"GOMODCACHE": str(folder / "modules"), "GOCACHE": str(folder / "packages")}


def bound(go: Path, say: once.Say, *, folder: Path = FOLDER, most: int = MOST) -> None:
    """
    Remove the archives of unpacked modules, and all compiled packages where they take more than `most` bytes.

    Nothing is removed while anybody compiles: packages that go meanwhile break what is being built.
    """
    if compiling(go):
        say("  compilers' caches stay as they are: somebody is compiling")
        return
    packages = folder / "packages"
    freed = sum(_removed(archive) for archive in (folder / "modules").glob("cache/download/**/*.zip"))
    taken = sum(_sizes(packages))
    if taken > most:
        shutil.rmtree(packages)
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
