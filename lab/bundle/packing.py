"""Programs, images and packages as files of a bundle, each with its line in the table of contents."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.bundle import contents, debian, modules, oci, userland
from lab.bundle.ingredients import Binary, ImageRecipe, ManifestRecipe, ProgramRecipe
from model.bundle.checksums import measure
from model.bundle.items import BinaryItem, ImageItem, IndexItem, Item, ManifestItem, PackageItem
from model.bundle.programs import pack


@dataclass(frozen=True, slots=True)
class Parts:
    """
    Finished parts: a folder of programs and a version for each component, a folder for each of the tools, Debian's
    packages, rendered charts by the names of their manifests, and where to write.
    """

    programs: Mapping[str, Path]
    versions: Mapping[str, str]
    userland: Mapping[str, Path]
    packages: Path
    suite: str
    bundle: Path = Path()
    charts: Mapping[str, Path] = field(default_factory=dict)

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
    below = () if wanted.bare else (contents.base(sources.userland["base"] / userland.TREE),)
    tools = (oci.tree(sources.userland[name] / userland.TREE) for name in wanted.tools)
    programs = tuple(oci.LayerEntry(program.path, source=sources.path(program)) for program in wanted.programs)
    layers = tuple(layer for layer in (*below, *tools, (*programs, *contents.own(wanted))) if layer)
    reference = f"{wanted.name}:{tag}"
    digest = oci.write(oci.LayeredImage(reference, layers, wanted.started), sources.bundle / file)
    size, sha256 = measure(sources.bundle / file)
    return ImageItem(
        name=wanted.name, version=tag, file=file, size=size, sha256=sha256, needed=wanted.needed, digest=digest
    )


def manifest(sources: Parts, wanted: ManifestRecipe) -> Item:
    """Write a publisher's Kubernetes objects."""
    kept = sources.programs[wanted.component] / modules.KEPT
    files = [sources.charts[wanted.name]] if wanted.chart else sorted(kept.rglob("*.yaml"))
    file = sources.bundle / f"manifests/{wanted.name}.yaml"
    file.write_text("\n---\n".join(path.read_text("utf-8") for path in files), "utf-8")
    size, sha256 = measure(file)
    return ManifestItem(
        name=wanted.name,
        version=sources.versions[wanted.component],
        file=str(file.relative_to(sources.bundle)),
        size=size,
        sha256=sha256,
        needed=wanted.needed,
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


def _version(sources: Parts, wanted: ImageRecipe) -> str:
    if wanted.programs:
        return sources.versions[wanted.programs[0].component]
    return userland.version(sources.userland[wanted.tools[-1]])
