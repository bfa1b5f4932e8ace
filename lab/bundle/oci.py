"""Files written as a container image, the same bytes for the same files."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, cast

from lab.bundle.ingredients import Started
from model.bundle.oci import MANIFEST, Blob, json_blob, write_archive
from model.bundle.programs import LEVEL, Counted

_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin"


@dataclass(frozen=True, slots=True)
class LayerEntry:
    """
    One name in a layer: a file of this machine, a text, a link (`target`) or, with none of them, a folder.

    `owner` is its user and its group.
    """

    path: str
    source: Path | None = None
    text: str | None = None
    target: str = ""
    mode: int = 0o755
    owner: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class LayeredImage:
    """`reference` is name and tag; the later layers lie over the earlier ones."""

    reference: str
    layers: tuple[tuple[LayerEntry, ...], ...]
    started: Started = field(default_factory=Started)


def write(image: LayeredImage, path: Path) -> str:
    """Write the image as an OCI archive and return its manifest's digest."""
    with TemporaryDirectory(dir=path.parent, prefix=".layers-") as folder:
        written = [_layer(entries, Path(folder) / str(number)) for number, entries in enumerate(image.layers)]
        layers = [blob for blob, _ in written]
        config = json_blob(_CONFIG, _config(image, [plain for _, plain in written]))
        manifest = json_blob(
            MANIFEST,
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": config.descriptor,
                "layers": [layer.descriptor for layer in layers],
            },
        )
        write_archive(image.reference, "amd64", manifest, [*layers, config], path)
    return f"sha256:{manifest.digest}"


def tree(folder: Path) -> tuple[LayerEntry, ...]:
    """Return the entries of everything below a folder."""
    entries = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            entries.append(LayerEntry(name, target=str(path.readlink())))
        elif path.is_file():
            entries.append(LayerEntry(name, source=path, mode=path.stat().st_mode & 0o777))
    return tuple(entries)


def _layer(entries: Iterable[LayerEntry], path: Path) -> tuple[Blob, str]:
    """Write a layer; return it and the digest of what it is before compression."""
    with path.open("wb") as raw:
        packed = Counted(raw)
        with gzip.GzipFile("", "wb", LEVEL, cast(IO[bytes], packed), mtime=0) as compressor:
            plain = Counted(cast(IO[bytes], compressor))
            with tarfile.open(fileobj=cast(IO[bytes], plain), mode="w|", format=tarfile.GNU_FORMAT) as tar:
                for entry in _with_folders(entries):
                    _add(tar, entry)
    return Blob(_LAYER, packed.sha256.hexdigest(), packed.size, path), plain.sha256.hexdigest()


def _with_folders(entries: Iterable[LayerEntry]) -> list[LayerEntry]:
    """Add the folders above the entries, and sort: what a layer holds does not depend on the order it was named in."""
    named = {entry.path: entry for entry in entries}
    above = {str(parent) for path in named for parent in Path(path).parents if str(parent) != "."}
    return sorted([*named.values(), *(LayerEntry(path) for path in above - set(named))], key=lambda entry: entry.path)


def _add(tar: tarfile.TarFile, entry: LayerEntry) -> None:
    info = tarfile.TarInfo(entry.path)
    info.mode = entry.mode
    info.uid, info.gid = entry.owner
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


def _config(image: LayeredImage, plain: Sequence[str]) -> Mapping[str, object]:
    started = image.started
    variables = {"PATH": PATH, **started.environment}
    optional = {
        "Entrypoint": list(started.entrypoint),
        "Cmd": list(started.command),
        "User": started.user,
        "WorkingDir": started.folder,
        "StopSignal": started.signal,
    }
    settings: dict[str, object] = {"Env": [f"{name}={value}" for name, value in variables.items()]}
    settings |= {name: value for name, value in optional.items() if value}
    layers = {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in plain]}
    return {"architecture": "amd64", "os": "linux", "config": settings, "rootfs": layers}
