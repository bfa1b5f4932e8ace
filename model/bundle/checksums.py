"""Sums of files: those that a publisher's list gives, and those of files here."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from model.errors import BundleError

_LINE = re.compile(r"^([0-9a-fA-F]{64})(?:\s+[ *]?(\S.*))?$")


def of(text: str, name: str, address: str) -> str:
    """
    Return the sha256 of the file `name`, in lower case. A list is lines of sha256 and name, or one sha256 alone.

    Raises BundleError when `address`, where the list is from, has none, or several that differ.
    """
    lines = [match for line in text.splitlines() if (match := _LINE.match(line.strip()))]
    if len(lines) == 1 and lines[0][2] is None:
        return lines[0][1].lower()
    fitting = {line[1].lower() for line in lines if line[2] and line[2].rpartition("/")[2] == name}
    if len(fitting) == 1:
        return fitting.pop()
    what = "has no sha256 of" if not fitting else "has several sha256 of"
    raise BundleError(f"{address}: {what} {name}", "correct `checksum` of this file in the sources")


def measure(path: Path) -> tuple[int, str]:
    """Return a file's size and sha256."""
    with path.open("rb") as stream:
        return path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest()
