"""Images in their registries, for one platform, and where their parts are."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.bundle import oci
from model.errors import BundleError
from remote.upstream.client import Client, Door
from remote.upstream.downloads import Downloads, Tell
from remote.upstream.tokens import Tokens

_LISTS = (oci.INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = (oci.MANIFEST, "application/vnd.docker.distribution.manifest.v2+json")
_ACCEPT = {"Accept": ", ".join((*_LISTS, *_MANIFESTS))}
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_LIES = "whoever answers there is not the registry, or it is broken; nothing of it was taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """An image of one platform: its manifest, the sizes of its parts by digest, and who lets us in."""

    reference: str
    architecture: str
    address: str
    manifest: oci.Blob
    parts: tuple[tuple[str, str, int], ...]
    door: Door

    @property
    def digest(self) -> str:
        """The manifest's, as containerd reports it."""
        return f"sha256:{self.manifest.digest}"

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum({digest: size for _, digest, size in self.parts}.values())


@dataclass(slots=True)
class Registries:
    """Registries by their names; `addresses` where an interface is not https at the name itself."""

    client: Client
    addresses: Mapping[str, str]
    _doors: dict[str, Tokens] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def look(self, name: str, tag: str, architecture: str, pin: str | None = None) -> Remote:
        """
        Find an image by its tag: what the tag means now, once `pin` (of the list or of the manifest) agrees, is meant
        from then on.

        Raises BundleError: no such image or platform, another digest; SourceUnreachable.
        """
        host, _, repository = name.partition("/")
        address = f"{self.addresses.get(host, f'https://{host}').rstrip('/')}/v2/{repository}"
        reference = f"{name}:{tag}"
        with self._guard:
            door = self._doors.setdefault(f"{host}/{repository}", Tokens(self.client))
        manifest, seen = self._manifest(address, tag, door), set()
        seen.add(f"sha256:{manifest.digest}")
        if manifest.media in _LISTS:
            manifest = self._of_platform(reference, address, manifest, architecture, door)
            seen.add(f"sha256:{manifest.digest}")
        if pin is not None and pin not in seen:
            raise BundleError(
                f"{reference}: digest pinned {pin}, seen {', '.join(sorted(seen))}",
                "the publisher moved the tag, or somebody else answers; look into it before changing the pin",
            )
        return Remote(
            reference=reference,
            architecture=architecture,
            address=address,
            manifest=manifest,
            parts=_parts(reference, manifest),
            door=door,
        )

    def _manifest(self, address: str, name: str, door: Door) -> oci.Blob:
        place = f"{address}/manifests/{name}"
        data, headers = self.client.text(place, _ACCEPT, door)
        digest = hashlib.sha256(data).hexdigest()
        expected = name if _DIGEST.match(name) else headers.get("Docker-Content-Digest", f"sha256:{digest}")
        if expected != f"sha256:{digest}":
            raise BundleError(f"{place}: digest expected {expected}, seen sha256:{digest}", _LIES)
        document = _document(place, data)
        media = document.get("mediaType") or headers.get("Content-Type", "").partition(";")[0].strip()
        if media not in (*_LISTS, *_MANIFESTS):
            raise BundleError(
                f"{place}: {media or 'no media type'} is no image that containerd takes", "choose another tag"
            )
        return oci.Blob(media, digest, len(data), data)

    def _of_platform(self, reference: str, address: str, listed: oci.Blob, architecture: str, door: Door) -> oci.Blob:
        index = _document(reference, listed.content)
        digest, others = "", []
        for entry in index.get("manifests", ()):
            platform = entry.get("platform", {})
            if (platform.get("os"), platform.get("architecture")) == ("linux", architecture) and not digest:
                digest = str(entry.get("digest", ""))
            others.append(f"{platform.get('os')}/{platform.get('architecture')}")
        if not _DIGEST.match(digest):
            raise BundleError(
                f"{reference}: not for linux/{architecture}; the registry has {', '.join(others) or 'nothing'}",
                "choose another tag or architecture",
            )
        return self._manifest(address, digest, door)


def bring(image: Remote, downloads: Downloads, path: Path, tell: Tell) -> None:
    """
    Fetch an image's parts and write them as an OCI archive.

    Raises BundleError, SourceUnreachable.
    """
    blobs = fetch_parts(image, downloads, tell)
    oci.write_archive(image.reference, image.architecture, image.manifest, blobs, path)


def fetch_parts(image: Remote, downloads: Downloads, tell: Tell) -> tuple[oci.Blob, ...]:
    """
    Fetch an image's parts, each by its sha256 and size: its configuration, then its layers from the lowest.

    Raises BundleError, SourceUnreachable.
    """
    blobs = []
    for media, digest, size in image.parts:
        sha256 = digest.removeprefix("sha256:")
        file = downloads.fetch(f"{image.address}/blobs/{digest}", sha256, size, tell, image.door)
        blobs.append(oci.Blob(media, sha256, size, file))
    _right_platform(image, blobs[0])
    return tuple(blobs)


def _right_platform(image: Remote, config: oci.Blob) -> None:
    """A tag without a list of platforms says only here which one it is for."""
    configuration = _document(image.reference, config.content)
    platform = f"{configuration.get('os')}/{configuration.get('architecture')}"
    if platform != f"linux/{image.architecture}":
        raise BundleError(
            f"{image.reference}: is for {platform}, not for linux/{image.architecture}",
            "choose another tag or architecture",
        )


def _parts(reference: str, manifest: oci.Blob) -> tuple[tuple[str, str, int], ...]:
    document = _document(reference, manifest.content)
    try:
        parts = tuple(
            (str(descriptor["mediaType"]), str(descriptor["digest"]), int(descriptor["size"]))
            for descriptor in (document["config"], *document["layers"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{reference}: the manifest names no parts ({error!r})", _LIES) from error
    if wrong := [digest for _, digest, _ in parts if not _DIGEST.match(digest)]:
        raise BundleError(f"{reference}: {wrong[0]} is no sha256", _LIES)
    return parts


def _document(place: str, content: Path | bytes) -> dict[str, Any]:
    try:
        document = json.loads(content if isinstance(content, bytes) else content.read_bytes())
    except ValueError as error:
        raise BundleError(f"{place}: no JSON: {error}", _LIES) from error
    if not isinstance(document, dict):
        raise BundleError(f"{place}: no JSON object", _LIES)
    return document
