"""Wheels of pure Python, read without being installed: no name of theirs leads anywhere, nothing of them is run."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

from model.errors import BundleError
from model.site.derived import PinnedWheel, normalized

_PURE = re.compile(r"-(py2\.)?py3-none-any\.whl$")
_STEP = "name another version, or another package, in the lock file"
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True)
class PythonFile:
    """A file of a package, by its path below the folder of packages."""

    path: str
    data: bytes
    mode: int


@dataclass(frozen=True, slots=True)
class PureWheel:
    """A wheel on this machine that was looked through; `metadata` is what the package says of itself."""

    pinned: PinnedWheel
    file: Path
    metadata: Message

    @property
    def title(self) -> str:
        """Name and version, as lock files name them."""
        return f"{self.pinned.name}=={self.pinned.version}"

    def files(self) -> Iterator[PythonFile]:
        """Yield every file but the scripts, which belong into another folder. Raises BundleError."""
        try:
            with zipfile.ZipFile(self.file) as archive:
                for info in _members(self.title, archive):
                    executable = (info.external_attr >> 16) & 0o111
                    yield PythonFile(info.filename, archive.read(info), 0o755 if executable else 0o644)
        except _BROKEN as error:
            raise _broken(self.title, error) from error


def is_pure(file_name: str) -> bool:
    """Return whether a wheel's name says that it is for every Python 3 on every machine."""
    return _PURE.search(file_name) is not None


def open_wheel(pinned: PinnedWheel, file: Path) -> PureWheel:
    """Look through a wheel. Raises BundleError: another package, not pure, a name that leads out of it."""
    title = f"{pinned.name}=={pinned.version}"
    try:
        with zipfile.ZipFile(file) as archive:
            names = [info.filename for info in _members(title, archive)]
            folder = _folder(title, pinned, names)
            wheel, metadata = (_read(title, archive, f"{folder}/{name}") for name in ("WHEEL", "METADATA"))
    except _BROKEN as error:
        raise _broken(title, error) from error
    tags = [str(tag) for tag in wheel.get_all("Tag", [])]
    compiled = [name for name in names if name.endswith((".so", ".pyd", ".dll"))]
    if str(wheel.get("Root-Is-Purelib")).lower() != "true" or "py3-none-any" not in tags or compiled:
        raise BundleError(f"{title}: is no wheel of pure Python ({', '.join(compiled or tags) or 'no tag'})", _STEP)
    return PureWheel(pinned, file, metadata)


def _members(title: str, archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """Yield the files that belong into the folder of packages."""
    seen = set()
    for info in archive.infolist():
        name, kind = info.filename, stat.S_IFMT(info.external_attr >> 16)
        parts = name.removesuffix("/").split("/")
        if name.startswith("/") or "\\" in name or "\0" in info.orig_filename or {"", ".", ".."} & set(parts):
            raise BundleError(f"{title}: names `{name}`, which leads out of the wheel", _STEP)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise BundleError(f"{title}: `{name}` is neither a file nor a folder", _STEP)
        # A layer's way to say that a file of the layers below is gone.
        if any(part.startswith(".wh.") for part in parts):
            raise BundleError(f"{title}: names `{name}`, which takes a file of the image away", _STEP)
        if name in seen:
            raise BundleError(f"{title}: has `{name}` twice", _STEP)
        seen.add(name)
        if name.endswith("/") or (parts[0].endswith(".data") and parts[1:2] == ["scripts"]):
            continue
        if parts[0].endswith(".data"):
            raise BundleError(f"{title}: `{name}` belongs outside the folder of packages", _STEP)
        yield info


def _folder(title: str, pinned: PinnedWheel, names: list[str]) -> str:
    found = sorted({name.partition("/")[0] for name in names if name.partition("/")[0].endswith(".dist-info")})
    if len(found) == 1:
        name, _, version = found[0].removesuffix(".dist-info").rpartition("-")
        if (normalized(name), version) == (pinned.name, pinned.version):
            return found[0]
    raise BundleError(f"{title}: holds {', '.join(found) or 'no package'}", _STEP)


def _read(title: str, archive: zipfile.ZipFile, name: str) -> Message:
    try:
        return BytesParser().parsebytes(archive.read(name), headersonly=True)
    except KeyError:
        raise BundleError(f"{title}: has no {name}", _STEP) from None


def _broken(title: str, error: Exception) -> BundleError:
    return BundleError(f"{title}: cannot be unpacked: {error}", _STEP)
