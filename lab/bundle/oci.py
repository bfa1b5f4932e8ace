"""How are files written as a container image, the same bytes for the same files?"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, cast

# Level 9 takes twice as long and saves one byte in a hundred.
LEVEL = 6
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_INDEX = "application/vnd.oci.image.index.v1+json"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin"


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One name in a layer: a file of this machine, a text, a link (`target`) or, with none of them, a folder.
    """

    path: str
    source: Path | None = None
    text: str | None = None
    target: str = ""
    mode: int = 0o755


@dataclass(frozen=True, slots=True)
class Image:
    """`reference` is name and tag; the later layers lie over the earlier ones."""

    reference: str
    layers: tuple[tuple[Entry, ...], ...]
    entrypoint: tuple[str, ...] = ()
    user: str = ""


@dataclass(frozen=True, slots=True)
class _Blob:
    media: str
    digest: str
    size: int
    content: Path | bytes

    @property
    def descriptor(self) -> dict[str, object]:
        return {"mediaType": self.media, "digest": f"sha256:{self.digest}", "size": self.size}


def write(image: Image, path: Path) -> str:
    """Write the image as an OCI archive and return its manifest's digest."""
    with TemporaryDirectory(dir=path.parent, prefix=".layers-") as folder:
        made = [_layer(entries, Path(folder) / str(number)) for number, entries in enumerate(image.layers)]
        layers = [blob for blob, _ in made]
        config = _json(_CONFIG, _config(image, [plain for _, plain in made]))
        manifest = _json(
            _MANIFEST,
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": config.descriptor,
                "layers": [layer.descriptor for layer in layers],
            },
        )
        _archive(image.reference, manifest, [*layers, config], path)
    return f"sha256:{manifest.digest}"


def tree(folder: Path) -> tuple[Entry, ...]:
    """Return the entries of everything below a folder."""
    entries = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            entries.append(Entry(name, target=str(path.readlink())))
        elif path.is_file():
            entries.append(Entry(name, source=path, mode=path.stat().st_mode & 0o777))
    return tuple(entries)


class Counted(io.RawIOBase):
    """Passes bytes on, and knows how many and their sha256."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink
        self.sha256 = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(cast(bytes, data)).cast("B")
        self.sha256.update(view)
        self.size += len(view)
        self._sink.write(view)
        return len(view)


def _layer(entries: Iterable[Entry], path: Path) -> tuple[_Blob, str]:
    """Write a layer; return it and the digest of what it is before compression."""
    with path.open("wb") as raw:
        packed = Counted(raw)
        with gzip.GzipFile("", "wb", LEVEL, cast(IO[bytes], packed), mtime=0) as compressor:
            plain = Counted(cast(IO[bytes], compressor))
            with tarfile.open(fileobj=cast(IO[bytes], plain), mode="w|", format=tarfile.GNU_FORMAT) as tar:
                for entry in _with_folders(entries):
                    _add(tar, entry)
    return _Blob(_LAYER, packed.sha256.hexdigest(), packed.size, path), plain.sha256.hexdigest()


def _with_folders(entries: Iterable[Entry]) -> list[Entry]:
    """Add the folders above the entries, and sort: what a layer holds does not depend on the order it was named in."""
    named = {entry.path: entry for entry in entries}
    above = {str(parent) for path in named for parent in Path(path).parents if str(parent) != "."}
    return sorted([*named.values(), *(Entry(path) for path in above - set(named))], key=lambda entry: entry.path)


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.path)
    info.mode = entry.mode
    if entry.source is not None:
        info.size = entry.source.stat().st_size
        with entry.source.open("rb") as stream:
            tar.addfile(info, stream)
        return
    if entry.text is not None:
        data = entry.text.encode()
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
        return
    info.type = tarfile.SYMTYPE if entry.target else tarfile.DIRTYPE
    info.linkname = entry.target
    tar.addfile(info)


def _config(image: Image, plain: Sequence[str]) -> Mapping[str, object]:
    settings: dict[str, object] = {"Env": [f"PATH={_PATH}"]}
    settings |= {"Entrypoint": list(image.entrypoint)} if image.entrypoint else {}
    settings |= {"User": image.user} if image.user else {}
    layers = {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in plain]}
    return {"architecture": "amd64", "os": "linux", "config": settings, "rootfs": layers}


def _json(media: str, value: Mapping[str, object]) -> _Blob:
    data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return _Blob(media, hashlib.sha256(data).hexdigest(), len(data), data)


def _archive(reference: str, manifest: _Blob, blobs: Sequence[_Blob], path: Path) -> None:
    names = {"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": reference.rpartition(":")[2]}
    platform = {"architecture": "amd64", "os": "linux"}
    listed = [{**manifest.descriptor, "annotations": names, "platform": platform}]
    index = _json(_INDEX, {"schemaVersion": 2, "mediaType": _INDEX, "manifests": listed})
    layout = json.dumps({"imageLayoutVersion": "1.0.0"})
    unique = {blob.digest: blob for blob in (*blobs, manifest)}
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for entry in (Entry("oci-layout", text=layout, mode=0o644), Entry("blobs"), Entry("blobs/sha256")):
            _add(tar, entry)
        for digest, blob in sorted(unique.items()):
            _add(tar, _blob_entry(digest, blob))
        _add(tar, Entry("index.json", text=cast(bytes, index.content).decode(), mode=0o644))


def _blob_entry(digest: str, blob: _Blob) -> Entry:
    name = f"blobs/sha256/{digest}"
    if isinstance(blob.content, Path):
        return Entry(name, source=blob.content, mode=0o644)
    return Entry(name, text=blob.content.decode(), mode=0o644)
