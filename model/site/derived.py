"""An image that nobody publishes: a publisher's own, with Python packages, each by its sha256, and code on top."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import StringConstraints, model_validator

from model.base import Declared
from model.site.code import CodeFile

# Below a folder: no name begins with a dot, so none leads out of it.
_PATH = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*$"
_PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)==(?P<version>[A-Za-z0-9][A-Za-z0-9.+!]*)"
    r"\s+--hash=sha256:(?P<sha256>[0-9a-f]{64})"
)
PUSHED = (
    r"^[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9][a-z0-9._-]*)+:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}@sha256:[0-9a-f]{64}$"
)
_SHORT = 12


class DerivedCode(Declared):
    """
    `folder`: one of this checkout, relative to it. `at`: where it lies in the image, without a slash before it; the
    image must have nothing there.
    """

    folder: Annotated[str, StringConstraints(pattern=_PATH)]
    at: Annotated[str, StringConstraints(pattern=_PATH)]


class DerivedImage(Declared):
    """
    `requirements`: a lock file of wheels, relative to the site's folder or else to the project's. `into`: the folder of
    the image where its Python looks for packages, without a slash before it. `code`: a folder of this checkout; instead
    of wheels or with them. `pushed`: the image in the site's registry, as `flows.bundle push` names it.
    """

    requirements: Annotated[str, StringConstraints(pattern=_PATH)] | None = None
    into: Annotated[str, StringConstraints(pattern=_PATH)] | None = None
    code: DerivedCode | None = None
    pushed: Annotated[str, StringConstraints(pattern=PUSHED)] | None = None

    @model_validator(mode="after")
    def _something(self) -> DerivedImage:
        if (self.requirements is None) != (self.into is None):
            raise ValueError("`requirements` and `into` belong together: which wheels, and where to")
        if self.requirements is None and self.code is None:
            raise ValueError("names nothing to put on the image: `requirements` and `into`, or `code`, or all of them")
        return self


@dataclass(frozen=True, slots=True)
class PinnedWheel:
    """A Python package by its normalized name, its version, and the sha256 of its wheel in hexadecimal."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class CodeLayer:
    """Files of this checkout, and the folder of the image where they lie; `source` is the checkout's own."""

    source: str
    at: str
    files: tuple[CodeFile, ...]


@dataclass(frozen=True, slots=True)
class Derivation:
    """What is put on the publisher's image, and where; no `wheels` have an empty `into`."""

    wheels: tuple[PinnedWheel, ...] = ()
    into: str = ""
    code: CodeLayer | None = None

    @property
    def digest(self) -> str:
        """The sha256 of what is put where: another lock file or other code, another image."""
        lines = [self.into, *sorted(f"{wheel.name}=={wheel.version} {wheel.sha256}" for wheel in self.wheels)]
        if self.code is not None:
            lines += [f"code {self.code.at}", *(file.line for file in self.code.files)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def tag(self, base: str) -> str:
        """Return the tag of what is made of the publisher's `base`: one that no publisher gives."""
        return f"{base}-{self.digest[:_SHORT]}"


def normalized(name: str) -> str:
    """Return a Python package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(text: str) -> tuple[PinnedWheel, ...]:
    """Read a lock file as pip reads it: `name==version --hash=sha256:...` each. Raises ValueError: anything else."""
    wheels = tuple(_wheels(text))
    names = [wheel.name for wheel in wheels]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"pins {', '.join(twice)} twice")
    if not wheels:
        raise ValueError("pins nothing")
    return wheels


def _wheels(text: str) -> Iterator[PinnedWheel]:
    plain = "\n".join(re.sub(r"(^|\s)#.*", "", line) for line in text.splitlines())
    for line in filter(None, map(str.strip, plain.replace("\\\n", " ").splitlines())):
        pinned = _PINNED.fullmatch(line)
        if pinned is None:
            raise ValueError(f"`{line[:80]}` is not `name==version` with the one sha256 of a wheel")
        yield PinnedWheel(normalized(pinned["name"]), pinned["version"], pinned["sha256"])
