"""An image that nobody publishes: a publisher's own, and Python packages on top, each by its sha256."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import StringConstraints

from model.base import Declared

# Below a folder: no name begins with a dot, so none leads out of it.
_PATH = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*$"
_PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)==(?P<version>[A-Za-z0-9][A-Za-z0-9.+!]*)"
    r"\s+--hash=sha256:(?P<sha256>[0-9a-f]{64})"
)
_SHORT = 12


class DerivedImage(Declared):
    """
    `requirements`: a lock file of wheels, relative to the site's folder or else to the project's. `into`: the folder of
    the image where its Python looks for packages, without a slash before it.
    """

    requirements: Annotated[str, StringConstraints(pattern=_PATH)]
    into: Annotated[str, StringConstraints(pattern=_PATH)]


@dataclass(frozen=True, slots=True)
class PinnedWheel:
    """A Python package by its normalized name, its version, and the sha256 of its wheel in hexadecimal."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Derivation:
    """What is put on the publisher's image, and where."""

    wheels: tuple[PinnedWheel, ...]
    into: str

    @property
    def digest(self) -> str:
        """The sha256 of what is put where: another lock file, another image."""
        lines = [f"{wheel.name}=={wheel.version} {wheel.sha256}" for wheel in self.wheels]
        return hashlib.sha256("\n".join([self.into, *sorted(lines)]).encode()).hexdigest()

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
