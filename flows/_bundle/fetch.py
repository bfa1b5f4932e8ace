"""How what was fetched becomes files of the bundle."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from flows._bundle.part import DownloadContext, Part
from model.bundle.checksums import measure
from model.bundle.items import BinaryItem, ImageItem, IndexItem, Item, ManifestItem, PackageItem
from model.bundle.programs import pack
from model.bundle.spec import FileSpec, ImageSpec, ManifestSpec
from remote.upstream.debian import DebianPackage
from remote.upstream.downloads import Tell
from remote.upstream.registry import Remote, bring
from remote.upstream.unpacking import members


def programs(spec: FileSpec, sha256: str, size: int | None, context: DownloadContext, tell: Tell) -> tuple[Item, ...]:
    """Fetch a publisher's file and compress each program of it."""
    source = context.downloads.fetch(spec.address, sha256, size, tell)
    items: list[Item] = []
    with _streams(spec, source) as streams:
        for program in spec.programs:
            name = Path(program.target).name
            file = f"binaries/{name}.gz"
            packed = pack(streams[program.member], context.draft(file))
            context.keep(file)
            items.append(
                BinaryItem(
                    name=name,
                    version=spec.version,
                    file=file,
                    size=packed.size,
                    sha256=packed.sha256,
                    needed=program.needed,
                    target=program.target,
                    mode=program.mode,
                    content_sha256=packed.content_sha256,
                    content_size=packed.content_size,
                )
            )
    source.unlink()
    return tuple(items)


@contextmanager
def _streams(spec: FileSpec, source: Path) -> Iterator[dict[str, IO[bytes]]]:
    named = [program.member for program in spec.programs if program.member]
    if named:
        with members(source, spec.address, named) as streams:
            yield streams
    else:
        with source.open("rb") as stream:
            yield {"": stream}


def image(spec: ImageSpec, remote: Remote, context: DownloadContext, tell: Tell) -> tuple[Item, ...]:
    """Fetch an image's parts and write them as one archive."""
    file = f"images/{spec.name.partition('/')[2].replace('/', '-')}.tar"
    bring(remote, context.downloads, context.draft(file), tell)
    size, sha256 = measure(context.keep(file))
    item = ImageItem(
        name=spec.name,
        version=spec.tag,
        file=file,
        size=size,
        sha256=sha256,
        needed=spec.needed,
        digest=remote.digest,
    )
    return (item,)


def manifest(spec: ManifestSpec, data: bytes, context: DownloadContext, tell: Tell) -> tuple[Item, ...]:
    """Write a file of Kubernetes objects as its publisher wrote it."""
    file = f"manifests/{spec.name}.yaml"
    size, sha256 = _write(context, file, data)
    tell(size)
    item = ManifestItem(name=spec.name, version=spec.version, file=file, size=size, sha256=sha256, needed=spec.needed)
    return (item,)


def package_part(suite: str, package: DebianPackage) -> Part:
    """Return a Debian package to fetch."""
    title = f"package {package.name} {package.version} ({suite})"
    return Part(
        title,
        package.address,
        f"{suite} {package.file} {package.sha256}",
        package.size,
        partial(_package, suite, package),
    )


def _package(suite: str, package: DebianPackage, context: DownloadContext, tell: Tell) -> tuple[Item, ...]:
    file = f"packages/{suite}/{package.file}"
    source = context.downloads.fetch(package.address, package.sha256, package.size, tell)
    source.replace(context.draft(file))
    context.keep(file)
    item = PackageItem(
        name=package.name,
        version=package.version,
        file=file,
        size=package.size,
        sha256=package.sha256,
        needed="nodes",
        suite=suite,
    )
    return (item,)


def lists(suite: str, packages: Sequence[DebianPackage], context: DownloadContext, _tell: Tell) -> tuple[Item, ...]:
    """Write what apt reads of the packages: the paragraphs of the signed lists, with the files' places here."""
    text = "\n".join(package.paragraph for package in packages).encode()
    items = []
    for name, data in (("Packages", text), ("Packages.gz", gzip.compress(text, mtime=0))):
        file = f"packages/{suite}/{name}"
        size, sha256 = _write(context, file, data)
        items.append(
            IndexItem(name=name, version=sha256[:12], file=file, size=size, sha256=sha256, needed="nodes", suite=suite)
        )
    return tuple(items)


def key_of(packages: Sequence[DebianPackage]) -> str:
    """Return what tells one set of packages from another."""
    return sha256_of("".join(package.paragraph for package in packages).encode())


def sha256_of(data: bytes) -> str:
    """Return the digest in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _write(context: DownloadContext, file: str, data: bytes) -> tuple[int, str]:
    context.draft(file).write_bytes(data)
    context.keep(file)
    return len(data), sha256_of(data)
