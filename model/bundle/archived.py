"""An image that was written as an OCI archive: what its manifest names, and each part as it lies there."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from model.errors import BundleError

_BLOBS = "blobs/sha256"
_LIST = "index.json"


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """`manifest` is its bytes, of the media type `media`; `parts` are digest (`sha256:...`) and size, each once."""

    path: Path
    digest: str
    media: str
    manifest: bytes
    parts: tuple[tuple[str, int], ...]

    @contextmanager
    def part(self, digest: str) -> Iterator[IO[bytes]]:
        """Yield a part's bytes from the beginning. Raises BundleError."""
        with tarfile.open(self.path, "r:") as tar, _blob(tar, digest) as stream:
            yield stream


def read_archived(path: Path, digest: str) -> ArchivedImage:
    """Read which parts an image has. Raises BundleError."""
    try:
        with tarfile.open(path, "r:") as tar, _blob(tar, digest) as stream:
            manifest = stream.read()
        document = json.loads(manifest)
        described = (document["config"], *document["layers"])
        parts = tuple(dict.fromkeys((str(part["digest"]), int(part["size"])) for part in described))
        media = document.get("mediaType") or _listed_media(path, digest)
        return ArchivedImage(path, digest, str(media), manifest, parts)
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path}: is no image: {error!r}", "see what `python -m flows.bundle verify` says") from error


def _listed_media(path: Path, digest: str) -> str:
    """Return the media type that the archive's own list gives a manifest, which need not say it itself in OCI."""
    with tarfile.open(path, "r:") as tar, _member(tar, _LIST) as stream:
        listed = json.load(stream)["manifests"]
    return {str(entry["digest"]): str(entry["mediaType"]) for entry in listed}[digest]


def _blob(tar: tarfile.TarFile, digest: str) -> IO[bytes]:
    return _member(tar, f"{_BLOBS}/{digest.removeprefix('sha256:')}")


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    stream = tar.extractfile(name)
    if stream is None:
        raise KeyError(name)
    return stream
