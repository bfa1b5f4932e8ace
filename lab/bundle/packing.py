"""Programs, images and packages as files of a bundle, each with its line in the table of contents."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.bundle import debian, oci, userland
from lab.bundle.recipe import TOOLS, Binary, ImageRecipe, ProgramRecipe
from model.bundle.checksums import measure
from model.bundle.items import BinaryItem, ImageItem, IndexItem, Item, PackageItem
from model.bundle.programs import pack

_ACCOUNTS = "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
_GROUPS = "root:x:0:\nnobody:x:65534:\n"
_NAMES = "hosts: files dns\nprotocols: files\n"
# kube-proxy takes what nft lists for its own only where protocols have their names.
_PROTOCOLS = "ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6 41 IPv6\nipv6-icmp 58 IPv6-ICMP\nsctp 132 SCTP\n"
_LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}


@dataclass(frozen=True, slots=True)
class Parts:
    """Finished parts: a folder of programs and a version for each component, Debian's files, and where to write."""

    programs: Mapping[str, Path]
    versions: Mapping[str, str]
    userland: Path
    packages: Path
    suite: str
    bundle: Path = Path()

    def path(self, program: ProgramRecipe) -> Path:
        """Return the compiled program."""
        return self.programs[program.component] / program.built


def binary(sources: Parts, wanted: Binary) -> Item:
    """Compress a program of the hosts."""
    source = sources.path(wanted.program)
    name = Path(wanted.program.path).name
    file = sources.bundle / "binaries" / f"{name}.gz"
    with source.open("rb") as stream:
        packed = pack(stream, file)
    return BinaryItem(
        name=name,
        version=sources.versions[wanted.program.component],
        file=f"binaries/{file.name}",
        size=packed.size,
        sha256=packed.sha256,
        needed=wanted.needed,
        target=f"/{wanted.program.path}",
        mode="0755",
        content_sha256=packed.content_sha256,
        content_size=packed.content_size,
    )


def image(sources: Parts, wanted: ImageRecipe) -> Item:
    """Write a container image."""
    tag = wanted.tag.format(version=_version(sources, wanted)) if "{" in wanted.tag else wanted.tag
    file = f"images/{wanted.name.rpartition('/')[2]}.tar"
    programs = tuple(oci.LayerEntry(program.path, source=sources.path(program)) for program in wanted.programs)
    # Nothing but the program itself holds a pod's namespaces.
    below = () if wanted.user else (_base(sources), *_tools(sources, wanted.tools))
    layers = tuple(layer for layer in (*below, programs) if layer)
    reference = f"{wanted.name}:{tag}"
    digest = oci.write(oci.LayeredImage(reference, layers, wanted.entrypoint, wanted.user), sources.bundle / file)
    size, sha256 = measure(sources.bundle / file)
    return ImageItem(
        name=wanted.name, version=tag, file=file, size=size, sha256=sha256, needed=wanted.needed, digest=digest
    )


def packages(sources: Parts) -> list[Item]:
    """Take over a suite's Debian packages and their lists."""
    folder = Path("packages", sources.suite)
    known = debian.versions((sources.packages / "Packages").read_text("utf-8"))
    items: list[Item] = []
    for source in sorted(sources.packages.iterdir()):
        file = folder / source.name
        os.link(source, sources.bundle / file)
        size, sha256 = measure(source)
        if source.name in known:
            name, version = known[source.name]
            kind: type[PackageItem | IndexItem] = PackageItem
        else:
            name, version, kind = source.name, sha256[:12], IndexItem
        items.append(
            kind(
                name=name,
                version=version,
                file=str(file),
                size=size,
                sha256=sha256,
                needed="nodes",
                suite=sources.suite,
            )
        )
    return items


def _base(sources: Parts) -> tuple[oci.LayerEntry, ...]:
    texts = {
        "etc/passwd": _ACCOUNTS,
        "etc/group": _GROUPS,
        "etc/nsswitch.conf": _NAMES,
        "etc/protocols": _PROTOCOLS,
    }
    return (
        *oci.tree(sources.userland / "base"),
        *(oci.LayerEntry(path, text=text, mode=0o644) for path, text in texts.items()),
        *(oci.LayerEntry(path, target=target) for path, target in _LINKS.items()),
        *(oci.LayerEntry(path) for path in (*_LINKS.values(), "run")),
        oci.LayerEntry("tmp", mode=0o1777),
    )


def _tools(sources: Parts, name: str) -> tuple[tuple[oci.LayerEntry, ...], ...]:
    return (oci.tree(sources.userland / name),) if name else ()


def _version(sources: Parts, wanted: ImageRecipe) -> str:
    if wanted.programs:
        return sources.versions[wanted.programs[0].component]
    package = next(tools for tools in TOOLS if tools.name == wanted.tools).packages[0]
    versions: dict[str, str] = json.loads((sources.userland / userland.VERSIONS).read_text("utf-8"))
    # An epoch and a plus sign have no place in an image's tag.
    return re.sub(r"[^A-Za-z0-9_.-]", "-", versions[package].partition(":")[2] or versions[package])
