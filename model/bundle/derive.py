"""A publisher's image with one more layer of Python packages: the same bytes for the same image and lock file."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from model.bundle.base_image import files_in
from model.bundle.oci import Blob, json_blob
from model.bundle.programs import Counted
from model.bundle.wheels import PureWheel, PythonFile
from model.errors import BundleError
from model.site.derived import normalized

# Not compressed: compressors differ from machine to machine, and with them the digest would.
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
_INSTALLED = re.compile(r"^(?P<name>[^/]+)-(?P<version>[^-/]+)\.dist-info$")
_STEP = "correct `derived` of the image in images.yaml, or its lock file"


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


def derive(base: BaseImage, wheels: Sequence[PureWheel], into: str, path: Path) -> MadeImage:
    """
    Put packages into the folder `into` of an image; the new layer is written to `path`.

    A package that the image has there already, in whatever version, stays as it is. Raises BundleError: there is no
    such folder, nothing is left to add, a file would be replaced, or a package would lack what it needs.
    """
    present = files_in(base.reference, into, base.layers)
    if not present:
        raise BundleError(f"{base.reference}: has nothing in /{into}, so no Python looks there", _STEP)
    has = _installed(present)
    added = [wheel for wheel in wheels if wheel.pinned.name not in has]
    if not added:
        raise BundleError(f"{base.reference}: has every package of the lock file already", _STEP)
    kept = tuple(f"{wheel.pinned.name}=={has[wheel.pinned.name]}" for wheel in wheels if wheel.pinned.name in has)
    _check_needs(base.reference, added, has, into)
    layer = _write_layer(base, added, present, into, path)
    return _with_layer(base, layer, [wheel.title for wheel in added], kept)


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


def _write_layer(base: BaseImage, wheels: Iterable[PureWheel], present: frozenset[str], into: str, path: Path) -> Blob:
    """Write files by sorted names, with the folders that are new; the image's own folders keep what they are."""
    owners: dict[str, PureWheel] = {}
    contents: dict[str, PythonFile] = {}
    for wheel in wheels:
        for file in wheel.files():
            if file.path in present:
                raise BundleError(f"{wheel.title}: would replace /{into}/{file.path} of {base.reference}", _STEP)
            if file.path in owners:
                raise BundleError(f"{wheel.title}: has {file.path}, as {owners[file.path].title} has", _STEP)
            owners[file.path], contents[file.path] = wheel, file
    folders = {str(parent) for name in contents for parent in PurePosixPath(name).parents} - {".", *present}
    if mixed := sorted(folders & set(contents)):
        raise BundleError(f"{owners[mixed[0]].title}: {mixed[0]} is a file, and a folder elsewhere", _STEP)
    with path.open("wb") as raw:
        written = Counted(raw)
        with tarfile.open(fileobj=cast(IO[bytes], written), mode="w|", format=tarfile.GNU_FORMAT) as tar:
            for name in sorted({*folders, *contents}):
                _add(tar, f"{into}/{name}", contents.get(name))
    media = _DOCKER_LAYER if base.manifest.media == _DOCKER_MANIFEST else _LAYER
    return Blob(media, written.sha256.hexdigest(), written.size, path)


def _add(tar: tarfile.TarFile, name: str, file: PythonFile | None) -> None:
    """Add a file, or a folder where there is none; root's, and of no time."""
    info = tarfile.TarInfo(name)
    if file is None:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(info)
        return
    info.size, info.mode = len(file.data), file.mode
    tar.addfile(info, io.BytesIO(file.data))


def _with_layer(base: BaseImage, layer: Blob, added: Sequence[str], kept: tuple[str, ...]) -> MadeImage:
    manifest, config = _document(base.reference, base.manifest), _document(base.reference, base.config)
    root = config.get("rootfs")
    diffs = root.get("diff_ids") if isinstance(root, dict) else None
    if not isinstance(root, dict) or not isinstance(diffs, list) or len(diffs) != len(base.layers):
        raise BundleError(f"{base.reference}: its configuration does not name its layers", "choose another tag")
    changed = {**config, "rootfs": {**root, "diff_ids": [*diffs, f"sha256:{layer.digest}"]}}
    if isinstance(config.get("history"), list):
        stays = f"; as in the image: {', '.join(kept)}" if kept else ""
        line = {"created": "1970-01-01T00:00:00Z", "created_by": f"matrix-fleet: {', '.join(added)}{stays}"}
        changed["history"] = [*config["history"], line]
    new_config = json_blob(base.config.media, changed)
    layers = [*manifest["layers"], layer.descriptor]
    new_manifest = json_blob(base.manifest.media, {**manifest, "config": new_config.descriptor, "layers": layers})
    return MadeImage(new_manifest, (new_config, *base.layers, layer), kept)


def _document(reference: str, blob: Blob) -> dict[str, Any]:
    content = blob.content if isinstance(blob.content, bytes) else blob.content.read_bytes()
    try:
        document = json.loads(content)
    except ValueError as error:
        raise BundleError(f"{reference}: sha256:{blob.digest} is no JSON: {error}", "choose another tag") from error
    if not isinstance(document, dict):
        raise BundleError(f"{reference}: sha256:{blob.digest} is no JSON object", "choose another tag")
    return document
