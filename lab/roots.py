"""Root file systems, built once and found again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import archive, layers, once
from lab.instance import CACHE
from lab.recipe import Recipe, RootKind


@dataclass(frozen=True, slots=True)
class Root:
    """A finished root: layers that are only read from now on."""

    folder: Path

    def layer(self, kind: RootKind) -> str:
        """Return overlay's list of lower folders for `bare`, `full` or `router`, the topmost first."""
        order: dict[RootKind, tuple[str, ...]] = {
            "bare": ("bare",),
            "full": ("full", "bare"),
            "router": ("router", "full", "bare"),
        }
        return ":".join(str(self.folder / name) for name in order[kind])


def ensure(recipe: Recipe, say: Callable[[str], None]) -> Root:
    """Return the recipe's root, building it first if this machine has none."""

    def build(draft: Path) -> None:
        source = archive.configured()
        say(f"building the Debian root ({recipe.suite}), once for this machine; log: {draft}/log")
        layers.build(recipe, draft, source, say)

    return Root(once.ensure(CACHE / "roots" / recipe.hash, build, say))
