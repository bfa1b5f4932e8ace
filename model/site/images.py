"""What `images.yaml` says: the container images of the application, each by its publisher's name."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from model.base import Declared, Name, Text

IMAGE_NAME = r"^[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9][a-z0-9._-]*)+$"
TAG = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$"
DIGEST = r"^sha256:[0-9a-f]{64}$"


class ApplicationImage(Declared):
    """
    An image: `name` with its registry, `tag`, and the digest of its manifest, where the bundle does not say it.

    `why` says why this version.
    """

    name: Annotated[str, StringConstraints(pattern=IMAGE_NAME)]
    tag: Annotated[str, StringConstraints(pattern=TAG)]
    digest: Annotated[str, StringConstraints(pattern=DIGEST)] | None = None
    why: Text | None = None


class ImagesFile(Declared):
    """`images.yaml`."""

    images: dict[Name, ApplicationImage]
