"""The folder that may become a bundle, and what is cleared away when it is one."""

from __future__ import annotations

import shutil
from collections.abc import Set
from pathlib import Path

from flows._bundle.part import RECORD, WORK
from model.bundle.bundle import MANIFEST
from model.errors import BundleError

_FOLDERS = ("binaries", "images", "manifests", "packages")


def claim(folder: Path) -> None:
    """Make the folder ready; raises BundleError where it holds something else than a bundle."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        present = {path.name for path in folder.iterdir()}
        if present and not present & {MANIFEST, WORK}:
            raise BundleError(f"{folder} holds something else than a bundle", "name an empty folder with --output")
        (folder / WORK).mkdir(exist_ok=True)
    except OSError as error:
        raise BundleError(
            f"{folder} cannot be written: {error.strerror}", "name another folder with --output"
        ) from error


def sweep(folder: Path, files: Set[str]) -> None:
    """Remove what earlier versions left in the folders of a bundle, and what was only needed on the way."""
    for name in _FOLDERS:
        for path in sorted((folder / name).rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif str(path.relative_to(folder)) not in files:
                path.unlink()
    for path in (folder / WORK).iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != RECORD:
            path.unlink()
