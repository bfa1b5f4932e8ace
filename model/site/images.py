"""What `images.yaml` says: the container images of the application, each by its publisher's name."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints, model_validator

from model.base import Declared, Name, Text
from model.site.derived import DerivedImage

IMAGE_NAME = r"^[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9][a-z0-9._-]*)+$"
TAG = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$"
DIGEST = r"^sha256:[0-9a-f]{64}$"
# A registry takes 128.
_LONGEST = 115


class ApplicationImage(Declared):
    """
    An image: `name` with its registry, `tag`, and the digest of its manifest, where the bundle does not say it.

    `derived` is what the bundle's download puts on it; `tag` and `digest` are the publisher's all the same. `why` says
    why this version.
    """

    name: Annotated[str, StringConstraints(pattern=IMAGE_NAME)]
    tag: Annotated[str, StringConstraints(pattern=TAG)]
    digest: Annotated[str, StringConstraints(pattern=DIGEST)] | None = None
    derived: DerivedImage | None = None
    why: Text | None = None

    @model_validator(mode="after")
    def _room(self) -> ApplicationImage:
        if self.derived is not None and len(self.tag) > _LONGEST:
            raise ValueError(f"the tag of a derived image has {_LONGEST} characters at most: another word is added")
        return self


class ImagesFile(Declared):
    """`images.yaml`."""

    images: dict[Name, ApplicationImage]
