"""An offline bundle's table of contents, and whether its files are the ones it names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, NoReturn

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from model.base import Declared, Text
from model.bundle.items import BinaryItem, ImageItem, IndexItem, Item, ManifestItem, PackageItem, Suite
from model.errors import BundleError, SchemaErrors
from model.site.mistakes import wrong_fields

MANIFEST = "bundle.json"
Architecture = Literal["amd64", "arm64"]
# Without these kubeadm can bring no control plane up; etcd, coredns and pause have versions of their own.
IMAGES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns", "pause", "etcd")
_CHUNK = 2**20
_ANEW = "fetch the bundle anew with `python -m flows.bundle download`, or copy it again from where it is whole"


class Bundle(Declared):
    """A folder's table of contents."""

    schema_: Literal["matrix-fleet/bundle/1"] = Field(default="matrix-fleet/bundle/1", alias="schema")
    name: Text
    kubernetes: Annotated[str, StringConstraints(pattern=r"^1\.[0-9]+\.[0-9]+$")]
    architecture: Architecture
    suites: Annotated[tuple[Suite, ...], Field(min_length=1)]
    items: tuple[Annotated[Item, Field(discriminator="kind")], ...]

    @model_validator(mode="after")
    def _unambiguous(self) -> Bundle:
        files = [item.file for item in self.items]
        twice = sorted({file for file in files if files.count(file) > 1})
        if twice:
            raise ValueError(f"listed twice: {', '.join(twice)}")
        return self

    @property
    def minor(self) -> str:
        """Kubernetes' minor version, such as 1.36."""
        return self.kubernetes.rpartition(".")[0]

    @property
    def binaries(self) -> tuple[BinaryItem, ...]:
        """All programs."""
        return tuple(item for item in self.items if isinstance(item, BinaryItem))

    @property
    def images(self) -> tuple[ImageItem, ...]:
        """All container images."""
        return tuple(item for item in self.items if isinstance(item, ImageItem))

    @property
    def manifests(self) -> tuple[ManifestItem, ...]:
        """All files of Kubernetes objects."""
        return tuple(item for item in self.items if isinstance(item, ManifestItem))

    def packages(self, suite: str) -> tuple[PackageItem, ...]:
        """Return a suite's Debian packages."""
        return tuple(item for item in self.items if isinstance(item, PackageItem) and item.suite == suite)

    def index(self, suite: str) -> tuple[IndexItem, ...]:
        """Return a suite's lists for apt."""
        return tuple(item for item in self.items if isinstance(item, IndexItem) and item.suite == suite)

    def binary(self, name: str) -> BinaryItem:
        """Return one program; raises BundleError when the bundle has none of the name."""
        return next((item for item in self.binaries if item.name == name), None) or self._lacks("program", name)

    def image(self, name: str) -> ImageItem:
        """Return one image by its name, whole or the last word of it; raises BundleError when there is none."""
        named = (item for item in self.images if name in (item.name, item.name.rpartition("/")[2]))
        return next(named, None) or self._lacks("image", name)

    def _lacks(self, what: str, name: str) -> NoReturn:
        raise BundleError(f"the bundle {self.name} has no {what} `{name}`", _ANEW)


def load_bundle(folder: Path) -> Bundle:
    """
    Read a bundle's table of contents and see that each file is there in its full size; `verify` reads them.

    Raises BundleError, or SchemaErrors with every wrong field of the table.
    """
    path = folder / MANIFEST
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{path}: cannot be read: {error}", f"{folder} must be a bundle; {_ANEW}") from error
    bundle = parse(text)
    faults = [*missing_images(bundle), *filter(None, (_size_fault(folder, item) for item in bundle.items))]
    if faults:
        raise BundleError("\n".join(f"{folder}: {fault}" for fault in faults), _ANEW)
    return bundle


def parse(text: str) -> Bundle:
    """Read a table of contents; raises SchemaErrors with every wrong field."""
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as failure:
        value = _plain(text)
        raise SchemaErrors(wrong_fields(MANIFEST, _ADAPTER, value, failure), _ANEW) from failure


def render(bundle: Bundle) -> str:
    """Write a table of contents, so that `parse` reads the same."""
    return json.dumps(bundle.model_dump(mode="json", by_alias=True), indent=1) + "\n"


def verify(folder: Path, bundle: Bundle, seen: Callable[[Item], None] = lambda _: None) -> None:
    """
    Read every file and compare it with the table; `seen` hears of each.

    Raises BundleError that names all wrong ones.
    """
    faults = []
    for item in bundle.items:
        faults += [fault for fault in (fault_of(folder, item),) if fault]
        seen(item)
    if faults:
        raise BundleError("\n".join(f"{folder}: {fault}" for fault in faults), _ANEW)


def fault_of(folder: Path, item: Item) -> str:
    """Say what is wrong with one item's file; empty when it is the one the table means."""
    fault = _size_fault(folder, item)
    if fault:
        return fault
    digest = hashlib.sha256()
    with (folder / item.file).open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() == item.sha256:
        return ""
    return f"{_title(item)}: {item.file} has sha256 {digest.hexdigest()}, not {item.sha256}"


def missing_images(bundle: Bundle) -> tuple[str, ...]:
    """Name what kubeadm needs and the bundle lacks."""
    present = {item.name.rpartition("/")[2] for item in bundle.images}
    return tuple(
        f"image {name} is missing: kubeadm brings no control plane up without it"
        for name in IMAGES
        if name not in present
    )


def _size_fault(folder: Path, item: Item) -> str:
    path = folder / item.file
    if not path.is_file():
        return f"{_title(item)}: {item.file} is missing"
    size = path.stat().st_size
    return "" if size == item.size else f"{_title(item)}: {item.file} has {size} bytes, not {item.size}"


def _title(item: Item) -> str:
    return f"{item.kind} {item.name} {item.version}"


def _plain(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


_ADAPTER = TypeAdapter(Bundle)
