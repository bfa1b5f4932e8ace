"""The Debian packages that a bare server lacks of what the bundle's user may install on it."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from pathlib import Path

from lab import archive, layers, once, roots
from lab.bundle.recipe import PACKAGES
from lab.instance import CACHE
from lab.recipe import Recipe as RootRecipe


def key(suite: str) -> str:
    """
    Digest of everything that decides which packages these are, save the archive's state on the day they are fetched.
    """
    return hashlib.sha256(json.dumps([RootRecipe(suite).hash, PACKAGES]).encode()).hexdigest()[:16]


def ensure(suite: str, say: once.Say) -> Path:
    """Return a folder of packages and their list, as apt reads them; what depends on nothing else is complete."""

    def build(draft: Path) -> None:
        root = roots.ensure(RootRecipe(suite), say)
        say(f"  Debian packages of {suite}")
        log = draft / "log"
        with layers.layer(draft, "upper", root.layer("bare")) as inside:
            layers.opened(inside, suite, archive.configured(), log)
            layers.download(inside, PACKAGES, draft / "packages", log)
        for used in ("upper", "work"):
            shutil.rmtree(draft / used)
        text = layers.listing(draft / "packages")
        (draft / "packages" / "Packages").write_text(text, "utf-8")
        (draft / "packages" / "Packages.gz").write_bytes(gzip.compress(text.encode(), mtime=0))

    return once.ensure(CACHE / "packages" / f"{suite}-{key(suite)}", build, say) / "packages"


def versions(listing: str) -> dict[str, tuple[str, str]]:
    """Return name and version of each package by its file's name, from a list as apt reads it."""
    by_file = {}
    for block in listing.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(" "))
        by_file[fields["Filename"].removeprefix("./")] = (fields["Package"], fields["Version"])
    return by_file
