"""What exactly is to be fetched, by the word of its publishers: sha256, digests, packages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import yaml

from flows._bundle import fetch
from flows._bundle.derived import derived_part
from flows._bundle.part import DownloadContext, Part
from model.bundle import checksums
from model.bundle.sources import APPLICATION, DebianSources, Sources
from model.bundle.spec import BundleSpec, FileSpec, ImageSpec, ManifestSpec
from model.errors import BundleError
from model.kubernetes import references
from remote.upstream.debian import Apt
from remote.upstream.wheel_index import WheelIndex

Look = Callable[[], tuple[Part, ...]]


@dataclass(frozen=True, slots=True)
class Resolver:
    """
    Where to look; `home` is the folder that names in the sources are relative to. `pinned` gathers the pins that were
    compared.
    """

    context: DownloadContext
    sources: Sources
    spec: BundleSpec
    home: Path
    pinned: set[str] = field(default_factory=set)

    def all(self) -> Iterator[tuple[str, Look]]:
        """Yield every look by a title; each is made once, in any order, and raises FleetError."""
        for file in self.spec.files:
            yield f"file {_last(file.address)}", partial(self._file, file)
        for image in self.spec.images:
            yield f"image {image.reference}", partial(self._image, image)
        for manifest in self.spec.manifests:
            yield f"manifest {manifest.name}", partial(self._manifest, manifest)
        for suite in self.spec.suites:
            yield f"packages {suite}", partial(self._packages, self.sources.debian, suite)

    def _file(self, file: FileSpec) -> tuple[Part, ...]:
        text = self.context.client.text(file.checksum)[0].decode("utf-8", "replace")
        sha256 = checksums.of(text, _last(file.address), file.checksum)
        self._agree(file.address, sha256)
        size = self.context.client.size(file.address)
        key = f"{file.address} {sha256} {[tuple(program.model_dump().values()) for program in file.programs]}"
        return (
            Part(f"file {_last(file.address)}", file.address, key, size, partial(fetch.programs, file, sha256, size)),
        )

    def _image(self, image: ImageSpec) -> tuple[Part, ...]:
        pin = self._pin(image.reference) or image.digest
        remote = self.context.registries.look(image.name, image.tag, self.spec.architecture, pin)
        if image.derivation is not None:
            index = self._wheels(image) if image.derivation.wheels else None
            return (derived_part(image, image.derivation, remote, index, self.context),)
        key = f"{image.reference} {remote.digest} {image.needed}"
        make = partial(fetch.image, image, remote)
        return (Part(f"image {image.reference}", remote.address, key, remote.size, make),)

    def _wheels(self, image: ImageSpec) -> WheelIndex:
        if self.sources.python_index is None:
            raise BundleError(
                f"{image.reference}: is derived, and the sources name no package index for its wheels",
                "copy templates/bundle/sources.yaml, say `python_index` there, and name the copy with --sources",
            )
        return WheelIndex(self.context.client, self.sources.python_index)

    def _manifest(self, wanted: ManifestSpec) -> tuple[Part, ...]:
        data, _ = self.context.client.text(wanted.address)
        sha256 = fetch.sha256_of(data)
        self._agree(wanted.address, sha256)
        try:
            objects = [item for item in yaml.load_all(data, Loader=yaml.CSafeLoader) if isinstance(item, dict)]
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise BundleError(f"{wanted.address}: is no YAML: {error}", "correct the address in the sources") from error
        images = references.named(objects) if wanted.needed != APPLICATION else ()
        if not objects or (not images and wanted.needed != APPLICATION):
            raise BundleError(
                f"{wanted.address}: holds no object that runs an image", "correct the address in the sources"
            )
        key = f"{wanted.address} {sha256} {wanted.needed}"
        part = Part(f"manifest {wanted.name}", wanted.address, key, len(data), partial(fetch.manifest, wanted, data))
        specs = [ImageSpec(*references.split(image), wanted.needed) for image in images]
        return (part, *(image_part for image in specs for image_part in self._image(image)))

    def _packages(self, debian: DebianSources, suite: str) -> tuple[Part, ...]:
        apt = Apt(
            client=self.context.client,
            folder=(self.context.scratch / f"apt-{suite}").resolve(),
            suite=suite,
            architecture=self.spec.architecture,
            archives=debian.suites[suite],
            keyring=(self.home / debian.keyring).resolve(),
        )
        packages = apt.packages(self.spec.packages)
        index = Part(
            f"lists of {suite}", "", f"lists {suite} {fetch.key_of(packages)}", 0, partial(fetch.lists, suite, packages)
        )
        return (index, *(fetch.package_part(suite, package) for package in packages))

    def _agree(self, address: str, sha256: str) -> None:
        pin = self._pin(address)
        if pin is not None and pin != f"sha256:{sha256}":
            raise BundleError(
                f"{address}: digest pinned {pin}, seen sha256:{sha256}",
                "the publisher changed the file, or somebody else answers; look into it before changing the pin",
            )

    def _pin(self, name: str) -> str | None:
        self.pinned.add(name)
        return self.sources.pins.get(name)


def _last(address: str) -> str:
    return address.rpartition("/")[2]
