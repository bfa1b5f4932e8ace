"""Versions of Debian packages: which is the newer one, as deb-version(7) says, and which begin with given numbers."""

from __future__ import annotations

import re
from itertools import zip_longest


def newer(version: str, than: str) -> bool:
    """Return whether `version` comes after `than`."""
    return key(version) > key(than)


def key(version: str) -> tuple[int, tuple[object, ...], tuple[object, ...]]:
    """Return a version in a form that compares: epoch, upstream version, Debian's revision."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return int(epoch), _part(upstream), _part(revision)


def _part(text: str) -> tuple[object, ...]:
    """
    Alternate between what is no number and numbers; each letter ranks by itself, and an end ranks between `~` and
    everything else.
    """
    words, numbers = re.split(r"\d+", text), re.findall(r"\d+", text)
    pairs = zip_longest(words, numbers, fillvalue="0")
    return tuple(piece for word, number in pairs for piece in ((*map(_rank, word), 0), int(number or 0)))


def _rank(letter: str) -> int:
    if letter == "~":
        return -1
    return ord(letter) if letter.isalpha() else ord(letter) + 256


def is_version(version: str, wanted: str) -> bool:
    """Return whether a package's whole version, such as 1.36.3-1.1, is the wanted one or begins with its numbers."""
    return re.search(expression(wanted), version) is not None


def expression(version: str) -> str:
    """
    Return what matches a package's whole version where it is `version`, or begins with its numbers; apt reads it, too.
    """
    return rf"^([0-9]+:)?{re.escape(version)}([.+~-].*)?$"
