"""Entries of an offline bundle's table of contents."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from model.base import Declared, Text

Needed = Literal["control_plane", "nodes", "cluster", "application"]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=0)]
# One or more plain names below the bundle's folder; none begins with a dot, so none leads out of it.
RelativeFile = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+~%:-]*(/[A-Za-z0-9_][A-Za-z0-9_.+~%:-]*)*$")
]
Target = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$")]
Mode = Annotated[str, StringConstraints(pattern=r"^0[0-7]{3}$")]
Suite = Annotated[str, StringConstraints(pattern=r"^[a-z]+$")]


class _Item(Declared):
    name: Text
    version: Text
    file: RelativeFile
    size: Size
    sha256: Sha256
    needed: Needed


class BinaryItem(_Item):
    """A program, compressed by gzip; `content_*` are those of the file that ends at `target`."""

    kind: Literal["binary"] = "binary"
    target: Target
    mode: Mode
    content_sha256: Sha256
    content_size: Size


class ImageItem(_Item):
    """A container image as an OCI archive; `digest` is its manifest's, as containerd reports it."""

    kind: Literal["image"] = "image"
    digest: Digest

    @property
    def reference(self) -> str:
        """Name and tag, as a pod names the image."""
        return f"{self.name}:{self.version}"


class PackageItem(_Item):
    """A Debian package of a suite."""

    kind: Literal["package"] = "package"
    suite: Suite


class IndexItem(_Item):
    """A list of a suite's packages, as apt reads it."""

    kind: Literal["index"] = "index"
    suite: Suite


class ManifestItem(_Item):
    """Kubernetes objects as YAML."""

    kind: Literal["manifest"] = "manifest"


Item = BinaryItem | ImageItem | PackageItem | IndexItem | ManifestItem
