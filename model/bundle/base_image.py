"""What lies in a container image, as its layers say."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterable
from gzip import BadGzipFile
from pathlib import PurePosixPath

from model.bundle.oci import Blob
from model.errors import BundleError

_GONE = ".wh."
_ALL_GONE = ".wh..wh..opq"


def files_in(reference: str, folder: str, layers: Iterable[Blob]) -> frozenset[str]:
    """
    Return every path below a folder, relative to it; `layers` are files of this machine, from the lowest.

    Raises BundleError for a layer that cannot be read here, such as one compressed by zstd.
    """
    return below(folder, contents(reference, layers))


def below(folder: str, paths: Iterable[str]) -> frozenset[str]:
    """Return those of an image's paths that lie below a folder, relative to it."""
    return frozenset(path.removeprefix(f"{folder}/") for path in paths if path.startswith(f"{folder}/"))


def contents(reference: str, layers: Iterable[Blob]) -> dict[str, bool]:
    """
    Return every path of an image, without a slash before it, and whether it is a folder; raises as `files_in` does.
    """
    present: dict[str, bool] = {}
    for layer in layers:
        added: dict[str, bool] = {}
        gone: set[str] = set()
        try:
            with tarfile.open(str(layer.content), "r|*") as tar:
                for info in tar:
                    path = PurePosixPath("/", info.name).relative_to("/")
                    if path.name == _ALL_GONE:
                        gone.add(f"{path.parent}/")
                    elif path.name.startswith(_GONE):
                        gone.add(str(path.with_name(path.name.removeprefix(_GONE))))
                    else:
                        added[str(path)] = info.isdir()
        except (tarfile.TarError, EOFError, BadGzipFile, zlib.error, OSError) as error:
            message = f"{reference}: the layer sha256:{layer.digest} ({layer.media}) cannot be read: {error}"
            raise BundleError(
                message, "only layers of tar, with gzip or without, are read; choose another tag"
            ) from error
        present = {path: is_folder for path, is_folder in present.items() if not _is_gone(path, gone)} | added
    return present


def _is_gone(path: str, gone: set[str]) -> bool:
    """A whiteout takes away the path and all below it, an opaque folder (which ends in a slash) all below it."""
    above = [str(parent) for parent in PurePosixPath(path).parents]
    return path in gone or any(parent in gone or f"{parent}/" in gone for parent in above)
