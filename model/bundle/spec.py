"""What must be fetched for one Kubernetes, one architecture, one pod network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from model.bundle import sources
from model.bundle.bundle import Architecture
from model.bundle.items import Needed
from model.bundle.sources import APPLICATION, Network, PublishedProgram, Sources
from model.errors import BundleError
from model.site.derived import Derivation
from model.site.images import ApplicationImage


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A publisher's file, and the programs in it with every name filled in."""

    address: str
    checksum: str
    version: str
    programs: tuple[PublishedProgram, ...]


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """
    An image by name and tag; `digest` is what it must be, where somebody says it.

    `derivation` is what is put on it; name, tag and digest are the publisher's all the same.
    """

    name: str
    tag: str
    needed: Needed
    digest: str | None = None
    derivation: Derivation | None = None

    @property
    def reference(self) -> str:
        """Name and tag, as a pod names the image."""
        return f"{self.name}:{self.tag}"


@dataclass(frozen=True, slots=True)
class ManifestSpec:
    """A file of Kubernetes objects."""

    name: str
    address: str
    version: str
    needed: Needed


@dataclass(frozen=True, slots=True)
class BundleSpec:
    """All of it; `packages` are names of Debian packages, without what they depend on."""

    kubernetes: str
    architecture: Architecture
    network: Network
    suites: tuple[str, ...]
    files: tuple[FileSpec, ...]
    images: tuple[ImageSpec, ...]
    manifests: tuple[ManifestSpec, ...]
    packages: tuple[str, ...]


def compose(
    known: Sources,
    version: str | None,
    architecture: Architecture,
    suites: Sequence[str],
    network: Network,
    application: Mapping[str, ApplicationImage] = MappingProxyType({}),
    derivations: Mapping[str, Derivation] = MappingProxyType({}),
) -> BundleSpec:
    """
    Return what to fetch. `version` is a Kubernetes such as 1.36 or 1.36.3; None is the sources' own. No `suites` are
    all of them. `application` is what images.yaml names; without it there is no part for the application. `derivations`
    says what is put on some of these.

    Raises BundleError for what the sources do not know.
    """
    versions = {
        **{name: image.tag.removeprefix("v") for name, image in application.items()},
        **_versions(known, version),
    }
    unknown = sorted(set(suites) - set(known.debian.suites))
    if unknown:
        raise _unknown("suite", ", ".join(unknown), known.debian.suites)
    return BundleSpec(
        kubernetes=versions["kubernetes"],
        architecture=architecture,
        network=network,
        suites=tuple(dict.fromkeys(suites)) or tuple(known.debian.suites),
        files=tuple(_file(file, versions[file.component], architecture) for file in known.files),
        images=(
            *(
                ImageSpec(image.name, image.tag.format(version=versions[image.component]), image.needed)
                for image in known.images
                if image.network in (None, network)
            ),
            *(
                ImageSpec(image.name, image.tag, APPLICATION, image.digest, derivations.get(name))
                for name, image in application.items()
            ),
        ),
        manifests=tuple(
            _manifest(manifest, versions[manifest.component], architecture)
            for manifest in _manifests(known, network, application)
        ),
        packages=known.debian.packages,
    )


def _versions(known: Sources, version: str | None) -> dict[str, str]:
    minor, patch = (version or known.kubernetes), ""
    if minor.count(".") > 1:
        minor, _, patch = minor.rpartition(".")
    if minor not in known.versions:
        raise _unknown("Kubernetes", version or minor, known.versions)
    versions = dict(known.versions[minor])
    return versions | ({"kubernetes": f"{minor}.{patch}"} if patch else {})


def _manifests(
    known: Sources, network: Network, application: Mapping[str, ApplicationImage]
) -> Iterator[sources.Manifest]:
    """Yield those that are wanted: of the application only what its own images belong to."""
    for manifest in known.manifests:
        wanted = manifest.component in application if manifest.needed == APPLICATION else True
        if wanted and manifest.network in (None, network):
            yield manifest


def _manifest(manifest: sources.Manifest, version: str, architecture: str) -> ManifestSpec:
    address = manifest.address.format(version=version, architecture=architecture)
    return ManifestSpec(manifest.name, address, version, manifest.needed)


def _file(file: sources.PublishedFile, version: str, architecture: str) -> FileSpec:
    words = {"version": version, "architecture": architecture}
    programs = tuple(program.model_copy(update={"member": program.member.format(**words)}) for program in file.programs)
    return FileSpec(file.address.format(**words), file.checksum.format(**words), version, programs)


def _unknown(what: str, name: str, known: object) -> BundleError:
    listed = ", ".join(known) if isinstance(known, dict) else ""
    return BundleError(
        f"the sources know no {what} {name}; they know {listed}",
        "choose one of them, or name another file with --sources",
    )
