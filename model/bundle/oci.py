"""Parts of a container image written as an OCI archive, the same bytes for the same parts."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
# containerd's and everybody else's names for what an archive holds.
IMAGE_NAME = "io.containerd.image.name"
_REFERENCE_NAME = "org.opencontainers.image.ref.name"


@dataclass(frozen=True, slots=True)
class Blob:
    """One part of an image: a file of this machine, or bytes. `digest` is the sha256 in hexadecimal."""

    media: str
    digest: str
    size: int
    content: Path | bytes

    @property
    def descriptor(self) -> dict[str, object]:
        """What other parts name it by."""
        return {"mediaType": self.media, "digest": f"sha256:{self.digest}", "size": self.size}


def json_blob(media: str, value: Mapping[str, object]) -> Blob:
    """Return a value as the bytes of a part."""
    data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return Blob(media, hashlib.sha256(data).hexdigest(), len(data), data)


def write_archive(reference: str, architecture: str, manifest: Blob, blobs: Sequence[Blob], path: Path) -> None:
    """
    Write an image: its manifest, and the blobs that the manifest names.

    `reference` is name and tag, as pods and containerd name the image.
    """
    names = {IMAGE_NAME: reference, _REFERENCE_NAME: reference.rpartition(":")[2]}
    platform = {"architecture": architecture, "os": "linux"}
    listed = [{**manifest.descriptor, "annotations": names, "platform": platform}]
    index = json_blob(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed})
    unique = {blob.digest: blob for blob in (*blobs, manifest)}
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        for folder in ("blobs", "blobs/sha256"):
            _add_folder(tar, folder)
        for digest, blob in sorted(unique.items()):
            _add(tar, f"blobs/sha256/{digest}", blob.content)
        _add(tar, "index.json", cast(bytes, index.content))


def _add(tar: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    if isinstance(content, bytes):
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
        return
    info.size = content.stat().st_size
    with content.open("rb") as stream:
        tar.addfile(info, stream)


def _add_folder(tar: tarfile.TarFile, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.mode, info.type = 0o755, tarfile.DIRTYPE
    tar.addfile(info)
