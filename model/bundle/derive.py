"""A publisher's image with layers of Python packages and of own code: the same bytes for the same image and files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from model.bundle.base_image import below, contents
from model.bundle.layers import LayerFile, folders_of, write_layer
from model.bundle.oci import Blob, json_blob
from model.bundle.wheels import PureWheel
from model.errors import BundleError
from model.site.derived import CodeLayer, normalized

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
_INSTALLED = re.compile(r"^(?P<name>[^/]+)-(?P<version>[^-/]+)\.dist-info$")
_STEP = "correct `derived` of the image in images.yaml, or its lock file"
_NEW = "correct `code.at` of the image in images.yaml: the code lies in a folder that the image has not"


@dataclass(frozen=True, slots=True)
class BaseImage:
    """A publisher's image whose parts are files of this machine; `layers` from the lowest."""

    reference: str
    manifest: Blob
    config: Blob
    layers: tuple[Blob, ...]


@dataclass(frozen=True, slots=True)
class MadeImage:
    """`parts` are all that `manifest` names; `kept` are packages that stay as the publisher's image has them."""

    manifest: Blob
    parts: tuple[Blob, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Addition:
    """What becomes one layer: files by their paths in the image, folders that are new, and what history says of it."""

    files: Mapping[str, LayerFile]
    folders: frozenset[str]
    line: str


def derive(
    base: BaseImage, wheels: Sequence[PureWheel], into: str, path: Path, code: CodeLayer | None = None
) -> MadeImage:
    """
    Put packages into the folder `into` of an image, and code into a folder of its own; layers are written to files that
    are named as `path` and a number.

    A package that the image has there already, in whatever version, stays as it is. Raises BundleError: there is no
    such folder, nothing is left to add, a file would be replaced, or a package would lack what it needs; the image has
    something where the code belongs.
    """
    has = contents(base.reference, base.layers)
    kept: tuple[str, ...] = ()
    additions: list[_Addition] = []
    if wheels:
        packages, kept = _packages(base.reference, wheels, into, has)
        additions.append(packages)
    if code is not None:
        additions.append(_code(base.reference, code, has, additions[0].files if additions else {}))
    media = _DOCKER_LAYER if base.manifest.media == _DOCKER_MANIFEST else _LAYER
    places = [path.with_name(f"{path.name}.{number}") for number in range(len(additions))]
    made = [write_layer(media, new.files, new.folders, place) for new, place in zip(additions, places, strict=True)]
    return _with_layers(base, made, [new.line for new in additions], kept)


def _packages(
    reference: str, wheels: Sequence[PureWheel], into: str, image: Mapping[str, bool]
) -> tuple[_Addition, tuple[str, ...]]:
    """Return the packages that are added, and those that stay as the image has them."""
    present = below(into, image)
    if not present:
        raise BundleError(f"{reference}: has nothing in /{into}, so no Python looks there", _STEP)
    has = _installed(present)
    added = [wheel for wheel in wheels if wheel.pinned.name not in has]
    if not added:
        raise BundleError(f"{reference}: has every package of the lock file already", _STEP)
    kept = tuple(f"{wheel.pinned.name}=={has[wheel.pinned.name]}" for wheel in wheels if wheel.pinned.name in has)
    _check_needs(reference, added, has, into)
    files = _files(reference, added, present, into)
    stays = f"; as in the image: {', '.join(kept)}" if kept else ""
    folders = frozenset(folders_of(files) - {*image, into, *folders_of([into])})
    return _Addition(files, folders, f"{', '.join(wheel.title for wheel in added)}{stays}"), kept


def _code(reference: str, code: CodeLayer, image: Mapping[str, bool], taken: Mapping[str, LayerFile]) -> _Addition:
    """Return the code at its place; `taken` are files of packages that are added as well."""
    _check_room(reference, code, image, taken)
    files = {f"{code.at}/{file.path}": LayerFile(file.data, file.mode) for file in code.files}
    folders = frozenset(folders_of(files) - {*image, *folders_of(image), *folders_of(taken)})
    return _Addition(files, folders, f"{code.source} at /{code.at}")


def _check_room(reference: str, code: CodeLayer, image: Mapping[str, bool], taken: Iterable[str]) -> None:
    """Raise BundleError where something lies in the code's folder, or a folder above it is none."""
    above = folders_of([code.at])
    if any(path == code.at or path.startswith(f"{code.at}/") for path in (*image, *taken)):
        raise BundleError(f"{reference}: has something at /{code.at}, which {code.source} would replace", _NEW)
    if others := sorted(path for path in above if not image.get(path, True) or path in {*taken}):
        raise BundleError(f"{reference}: /{others[0]}, above /{code.at}, is no folder", _NEW)


def _installed(present: Iterable[str]) -> dict[str, str]:
    """Return versions by package; the folder alone does not count, since a broken removal leaves it behind."""
    folders = (path.removesuffix("/METADATA") for path in present if path.endswith(".dist-info/METADATA"))
    found = filter(None, map(_INSTALLED.match, folders))
    return {normalized(match["name"]): match["version"] for match in found}


def _check_needs(reference: str, added: Sequence[PureWheel], has: Mapping[str, str], into: str) -> None:
    """Raise BundleError with everything that a package needs and neither the lock file nor the image brings."""
    all_of = {**has, **{wheel.pinned.name: wheel.pinned.version for wheel in added}}
    named = re.search(r"python(\d+\.\d+)", into)
    python = named[1] if named else ""
    faults = []
    for wheel in added:
        try:
            wanted = SpecifierSet(str(wheel.metadata.get("Requires-Python") or ""))
            needs = [Requirement(str(line)) for line in wheel.metadata.get_all("Requires-Dist", [])]
        except (InvalidRequirement, InvalidSpecifier) as error:
            raise BundleError(f"{wheel.title}: says wrongly what it needs: {error}", _STEP) from error
        if python and not wanted.contains(python):
            faults.append(f"{wheel.title} needs Python {wanted}, and this is {python}")
        for need in needs:
            name = normalized(need.name)
            if need.marker and not need.marker.evaluate(_surroundings(python)):
                continue
            if name not in all_of:
                faults.append(f"{wheel.title} needs {need.name}, and nothing brings it")
            elif not need.specifier.contains(all_of[name], prereleases=True):
                faults.append(f"{wheel.title} needs {need.name} {need.specifier}, and there is {all_of[name]}")
    if faults:
        raise BundleError(f"{reference}: {'; '.join(faults)}", _STEP)


def _surroundings(python: str) -> dict[str, str]:
    """Return what markers ask for, of the image instead of this machine."""
    known = {"extra": "", "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    known |= {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    return known | ({"python_version": python, "python_full_version": f"{python}.0"} if python else {})


def _files(reference: str, wheels: Iterable[PureWheel], present: frozenset[str], into: str) -> dict[str, LayerFile]:
    """Return files by their paths in the image; raises BundleError where two belong to one place."""
    owners: dict[str, PureWheel] = {}
    found: dict[str, LayerFile] = {}
    for wheel in wheels:
        for file in wheel.files():
            if file.path in present:
                raise BundleError(f"{wheel.title}: would replace /{into}/{file.path} of {reference}", _STEP)
            if file.path in owners:
                raise BundleError(f"{wheel.title}: has {file.path}, as {owners[file.path].title} has", _STEP)
            owners[file.path], found[f"{into}/{file.path}"] = wheel, LayerFile(file.data, file.mode)
    if mixed := sorted((folders_of(owners) - present) & set(owners)):
        raise BundleError(f"{owners[mixed[0]].title}: {mixed[0]} is a file, and a folder elsewhere", _STEP)
    return found


def _with_layers(base: BaseImage, made: Sequence[Blob], lines: Sequence[str], kept: tuple[str, ...]) -> MadeImage:
    """Add layers on top; `lines` say of each in the image's history what was added."""
    manifest, config = _document(base.reference, base.manifest), _document(base.reference, base.config)
    root = config.get("rootfs")
    diffs = root.get("diff_ids") if isinstance(root, dict) else None
    if not isinstance(root, dict) or not isinstance(diffs, list) or len(diffs) != len(base.layers):
        raise BundleError(f"{base.reference}: its configuration does not name its layers", "choose another tag")
    changed = {**config, "rootfs": {**root, "diff_ids": [*diffs, *(f"sha256:{layer.digest}" for layer in made)]}}
    if isinstance(config.get("history"), list):
        told = [{"created": "1970-01-01T00:00:00Z", "created_by": f"matrix-fleet: {line}"} for line in lines]
        changed["history"] = [*config["history"], *told]
    new_config = json_blob(base.config.media, changed)
    layers = [*manifest["layers"], *(layer.descriptor for layer in made)]
    new_manifest = json_blob(base.manifest.media, {**manifest, "config": new_config.descriptor, "layers": layers})
    return MadeImage(new_manifest, (new_config, *base.layers, *made), kept)


def _document(reference: str, blob: Blob) -> dict[str, Any]:
    content = blob.content if isinstance(blob.content, bytes) else blob.content.read_bytes()
    try:
        document = json.loads(content)
    except ValueError as error:
        raise BundleError(f"{reference}: sha256:{blob.digest} is no JSON: {error}", "choose another tag") from error
    if not isinstance(document, dict):
        raise BundleError(f"{reference}: sha256:{blob.digest} is no JSON object", "choose another tag")
    return document
