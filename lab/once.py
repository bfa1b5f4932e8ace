"""A folder of the cache, built once, by one process, whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.mounts import unmount_below

Say = Callable[[str], None]


def ensure(folder: Path, build: Callable[[Path], None], say: Say) -> Path:
    """
    Return the folder, building it first if this machine has none: `build` fills a draft, which then takes the folder's
    name.

    Only one process builds among the folder's neighbours. A build that was cut short leaves a draft, whose name begins
    with a dot; the next build removes it.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder.parent / "lock", say):
        if folder.is_dir():
            return folder
        _sweep(folder.parent)
        draft = folder.parent / f".{folder.name}"
        draft.mkdir()
        build(draft)
        os.sync()
        draft.rename(folder)
    return folder


def _sweep(folder: Path) -> None:
    for draft in folder.glob(".*"):
        unmount_below(draft)
        shutil.rmtree(draft) if draft.is_dir() and not draft.is_symlink() else draft.unlink()


@contextmanager
def _lock(path: Path, say: Say) -> Iterator[None]:
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process is building in {path.parent}; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
