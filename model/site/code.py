"""A folder of this checkout that becomes a layer of an image: its files, the same wherever they are checked out."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

# A site is read by every command, and its code with it.
MAX_BYTES = 16 * 2**20
# What Python leaves behind; it differs from run to run.
_CACHES = ("__pycache__",)
_COMPILED = (".pyc", ".pyo")
# A layer takes a file of the image away by a file of such a name.
_WHITEOUT = ".wh."


@dataclass(frozen=True, slots=True)
class CodeFile:
    """A file by its path below the folder; of its mode only whether its owner may run it counts."""

    path: str
    mode: int
    data: bytes = field(repr=False)

    @property
    def line(self) -> str:
        """What stands for it in the digest of the whole."""
        return f"{self.path} {self.mode:o} {hashlib.sha256(self.data).hexdigest()}"


def read_code(root: Path, folder: str) -> tuple[CodeFile, ...]:
    """
    Read the files of a folder below `root`, sorted by their paths, without what Python compiles.

    Raises ValueError: it leads out of `root`, is no folder, is empty or too large, or holds a link, a whiteout or
    anything else that is neither file nor folder; OSError.
    """
    base = root.resolve()
    place = base / folder
    if not place.resolve().is_relative_to(base):
        raise ValueError("leads out of the checkout")
    if place.resolve() != place:
        raise ValueError("is a link, or lies behind one")
    if not place.is_dir():
        raise ValueError("is no folder of this checkout")
    files = _files(place, "")
    if not files:
        raise ValueError("holds no file")
    if sum(len(file.data) for file in files) > MAX_BYTES:
        raise ValueError(f"holds more than {MAX_BYTES // 2**20} MiB")
    return tuple(sorted(files, key=lambda file: file.path))


def _files(place: Path, above: str) -> list[CodeFile]:
    found: list[CodeFile] = []
    with os.scandir(place) as entries:
        for entry in entries:
            path = f"{above}{entry.name}"
            if not entry.name.isprintable():
                raise ValueError(f"{path!r} is no name that every machine reads alike")
            if entry.name.startswith(_WHITEOUT):
                raise ValueError(f"{path} takes a file of the image away")
            seen = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(seen.st_mode):
                found += _files(place / entry.name, f"{path}/") if entry.name not in _CACHES else []
            elif not stat.S_ISREG(seen.st_mode):
                raise ValueError(f"{path} is {'a link' if entry.is_symlink() else 'neither a file nor a folder'}")
            elif not entry.name.endswith(_COMPILED):
                mode = 0o755 if seen.st_mode & stat.S_IXUSR else 0o644
                found.append(CodeFile(path, mode, (place / entry.name).read_bytes()))
    return found
