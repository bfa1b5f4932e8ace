"""Which versions of Synapse something was kept of, and which of them is nearest to another one."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

_VERSION = re.compile(r"\d+(\.\d+)+")


def kept(folder: Path, what: str) -> tuple[str, ...]:
    """Return the versions of which a folder has `WHAT-VERSION.json`, oldest first."""
    found = (path.stem.removeprefix(f"{what}-") for path in folder.glob(f"{what}-*.json"))
    return tuple(sorted(found, key=_numbers))


def nearest(version: str, known: Collection[str]) -> str | None:
    """Return the newest known version that is not newer, else the oldest; None for what is no version's name."""
    if version in known:
        return version
    if not _VERSION.match(version):
        return None
    older = [one for one in known if _numbers(one) <= _numbers(version)]
    return max(older, key=_numbers) if older else min(known, key=_numbers, default=None)


def _numbers(version: str) -> tuple[int, ...]:
    found = _VERSION.match(version)
    return tuple(int(number) for number in found[0].split(".")) if found else ()
