"""How is a root file system built once and found again?"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import archive, layers
from lab.instance import CACHE
from lab.mounts import unmount_below
from lab.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Root:
    """A finished root: layers that are only read from now on."""

    folder: Path

    def layer(self, kind: str) -> str:
        """Return overlay's list of lower folders for `bare`, `full` or `router`, the topmost first."""
        order = {"bare": ("bare",), "full": ("full", "bare"), "router": ("router", "full", "bare")}
        return ":".join(str(self.folder / name) for name in order[kind])


def ensure(recipe: Recipe, say: Callable[[str], None]) -> Root:
    """
    Return the recipe's root, building it first if this machine has none.

    Only one process builds at a time. A build that was cut short leaves a folder whose name begins with a dot; the next build removes it.
    """
    root = Root(CACHE / "roots" / recipe.hash)
    if root.folder.is_dir():
        return root
    root.folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(root.folder.parent / "lock", say):
        if root.folder.is_dir():
            return root
        _sweep(root.folder.parent)
        draft = root.folder.parent / f".{recipe.hash}"
        draft.mkdir()
        source = archive.configured()
        say(f"building the Debian root ({recipe.suite}), once for this machine; log: {draft}/log")
        layers.build(recipe, draft, source, say)
        os.sync()
        draft.rename(root.folder)
    return root


def _sweep(folder: Path) -> None:
    for draft in folder.glob(".*"):
        unmount_below(draft)
        shutil.rmtree(draft)


@contextmanager
def _lock(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is building a root; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
