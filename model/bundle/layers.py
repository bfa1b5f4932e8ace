"""A layer of a container image, the same bytes for the same files."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from model.bundle.oci import Blob
from model.bundle.programs import Counted


@dataclass(frozen=True, slots=True)
class LayerFile:
    """A file of a layer."""

    data: bytes
    mode: int


def folders_of(paths: Iterable[str]) -> set[str]:
    """Return every folder above these paths, without the root."""
    return {str(parent) for path in paths for parent in PurePosixPath(path).parents} - {"."}


def write_layer(media: str, files: Mapping[str, LayerFile], folders: Collection[str], path: Path) -> Blob:
    """
    Write files and the folders that are new by sorted names; the image's own folders keep what they are.

    Nothing is compressed: compressors differ from machine to machine, and with them the digest would.
    """
    with path.open("wb") as raw:
        written = Counted(raw)
        with tarfile.open(fileobj=cast(IO[bytes], written), mode="w|", format=tarfile.GNU_FORMAT) as tar:
            for name in sorted({*folders, *files}):
                _add(tar, name, files.get(name))
    return Blob(media, written.sha256.hexdigest(), written.size, path)


def _add(tar: tarfile.TarFile, name: str, file: LayerFile | None) -> None:
    """Add a file, or a folder where there is none; root's, and of no time."""
    info = tarfile.TarInfo(name)
    if file is None:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(info)
        return
    info.size, info.mode = len(file.data), file.mode
    tar.addfile(info, io.BytesIO(file.data))
