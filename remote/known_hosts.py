"""The keys that are recorded for hosts."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from paramiko import PKey, SSHException
from paramiko.pkey import UnknownKeyType

from model.site.known_hosts import KnownKey, UnusedLine, read


@dataclass(frozen=True, slots=True)
class KnownHosts:
    """What a known_hosts file says: its keys as paramiko has them, and the lines that are passed over."""

    keys: tuple[tuple[KnownKey, PKey], ...] = ()
    unused: tuple[UnusedLine, ...] = ()

    def of(self, known_as: str, *, revoked: bool) -> tuple[PKey, ...]:
        """Return the keys recorded under a name, or those revoked for it."""
        return tuple(key for line, key in self.keys if line.revoked is revoked and line.is_for(known_as))


def known_hosts(path: Path) -> KnownHosts:
    """Read a known_hosts file; nothing where it is not there."""
    try:
        seen = path.stat()
    except FileNotFoundError:
        return KnownHosts()
    return _load(path, seen.st_mtime_ns, seen.st_size, seen.st_ino)


def recorded(path: Path, known_as: str) -> tuple[PKey, ...]:
    """Return the keys that a known_hosts file keeps under a name, without those it revokes."""
    known = known_hosts(path)
    revoked = known.of(known_as, revoked=True)
    return tuple(key for key in known.of(known_as, revoked=False) if key not in revoked)


def revoked(path: Path, known_as: str) -> tuple[PKey, ...]:
    """Return the keys that a known_hosts file revokes for a name: whoever presents one is refused."""
    return known_hosts(path).of(known_as, revoked=True)


def passed_over(path: Path) -> str:
    """Say in a few words which lines of the file could not be read; empty where all could."""
    lines = [f"line {line.line} {line.why}" for line in known_hosts(path).unused if not line.harmless]
    return f"; in {path}, {'; '.join(lines)}" if lines else ""


@lru_cache(maxsize=16)
def _load(path: Path, _changed: int, _size: int, _inode: int) -> KnownHosts:
    lines, unused = read(_text(path))
    keys: list[tuple[KnownKey, PKey]] = []
    for line in lines:
        # A kind of key that is not known here, such as one of a security token, is none that a host could present here.
        with suppress(UnknownKeyType, SSHException, ValueError):
            keys.append((line, PKey.from_type_string(line.kind, line.blob)))
    return KnownHosts(tuple(keys), unused)


def _text(path: Path) -> str:
    return path.read_text("utf-8", errors="surrogateescape")


def record(path: Path, keys: dict[str, PKey]) -> None:
    """
    Write one key a name into a known_hosts file: atomically, other lines kept as they are, readable by whoever could
    read the old one and by its owner only where there was none.

    An older key of the same name is dropped, also where the line hashes the name.
    """
    old = _text(path).splitlines() if path.exists() else []
    lines = [kept for line in old if (kept := _without(line, keys)) is not None]
    lines += [f"{name} {key.get_name()} {key.get_base64()}" for name, key in keys.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
            _same_group(path, temporary)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _same_group(path: Path, other: str) -> None:
    """Whoever is not in that group cannot give a file to it; the scheduled identity then has to be let in again."""
    with suppress(PermissionError):
        os.chown(other, -1, path.stat().st_gid)


def _without(line: str, names: Collection[str]) -> str | None:
    """Return a line for whom else it names, or None when it named nobody else."""
    first, space, rest = line.partition(" ")
    if first.startswith("|1|"):
        keys, _ = read(line)
        return None if any(key.is_for(name) for key in keys for name in names) else line
    others = [word for word in first.split(",") if word not in names]
    return ",".join(others) + space + rest if others else None


def fingerprint(key: PKey) -> str:
    """Return a key's kind and SHA256 fingerprint, as `ssh-keygen -l` shows them."""
    return f"{key.get_name()} {key.fingerprint}"
