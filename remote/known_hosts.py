"""The keys that are recorded for hosts."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from paramiko import HostKeys, PKey


def recorded(path: Path, known_as: str) -> tuple[PKey, ...]:
    """Return the keys that a known_hosts file keeps under a name; none where the file is not there."""
    try:
        seen = path.stat()
    except FileNotFoundError:
        return ()
    entry = _load(path, seen.st_mtime_ns, seen.st_size, seen.st_ino).lookup(known_as)
    return tuple(entry.values()) if entry else ()


@lru_cache(maxsize=16)
def _load(path: Path, _changed: int, _size: int, _inode: int) -> HostKeys:
    return HostKeys(str(path))


def record(path: Path, keys: dict[str, PKey]) -> None:
    """
    Write one key a name into a known_hosts file: atomically, other lines kept as they are, readable by whoever could
    read the old one and by its owner only where there was none.

    An older key of the same name is dropped, also where the line hashes the name.
    """
    old = path.read_text().splitlines() if path.exists() else []
    lines = [kept for line in old if (kept := _without(line, keys)) is not None]
    lines += [f"{name} {key.get_name()} {key.get_base64()}" for name, key in keys.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
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
        return None if any(HostKeys.hash_host(name, first) == first for name in names) else line
    others = [word for word in first.split(",") if word not in names]
    return ",".join(others) + space + rest if others else None


def fingerprint(key: PKey) -> str:
    """Return a key's kind and SHA256 fingerprint, as `ssh-keygen -l` shows them."""
    return f"{key.get_name()} {key.fingerprint}"
