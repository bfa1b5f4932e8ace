"""The lines of a known_hosts file: which keys it records and revokes, and which lines say nothing here."""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

FILE = "known_hosts"
_HASHED = "|1|"
_DIGEST_BYTES = 20


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that a line records for names, or revokes; `kind` is its type, `blob` the key as it travels."""

    line: int
    names: tuple[str, ...]
    kind: str
    blob: bytes
    revoked: bool = False

    def is_for(self, known_as: str) -> bool:
        """Return whether the line speaks of this name; of a revoked key patterns count, too."""
        return any(_named(name, known_as, patterns=self.revoked) for name in self.names)


@dataclass(frozen=True, slots=True)
class UnusedLine:
    """A line that is passed over: why, and what to do; `harmless` for what is as OpenSSH wants it."""

    line: int
    why: str
    fix: str
    harmless: bool = False


def read(text: str) -> tuple[tuple[KnownKey, ...], tuple[UnusedLine, ...]]:
    """Return what the lines of a known_hosts file say, and those that are passed over."""
    lines = tuple(_lines(text))
    return (
        tuple(line for line in lines if isinstance(line, KnownKey)),
        tuple(line for line in lines if isinstance(line, UnusedLine)),
    )


def _lines(text: str) -> Iterator[KnownKey | UnusedLine]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield _line(number, line.split())


def _line(number: int, words: list[str]) -> KnownKey | UnusedLine:
    marker = words.pop(0) if words[0].startswith("@") else ""
    if marker == "@cert-authority":
        why = "certificates of hosts are not used here: the keys themselves are recorded"
        return UnusedLine(
            number, why, "leave it for ssh; `python -m flows.trust` records the hosts' keys", harmless=True
        )
    if marker not in ("", "@revoked"):
        return UnusedLine(number, f"no marker is called {marker}", "correct it, or remove the line")
    if len(words) < 3:
        return _cut(number, "lacks names, type or key")
    names, kind, encoded = words[:3]
    if any(name.startswith(_HASHED) and _hash(name) is None for name in names.split(",")):
        return _cut(number, "has a hashed name that is cut")
    try:
        blob = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return _cut(number, "has a key that is no base64")
    if not _is_whole(kind, blob):
        return _cut(number, f"has a key that is no whole {kind}")
    return KnownKey(number, tuple(names.split(",")), kind, blob, revoked=marker == "@revoked")


def _cut(number: int, why: str) -> UnusedLine:
    return UnusedLine(number, why, "remove the line; `python -m flows.trust` records the host's key anew")


def _is_whole(kind: str, blob: bytes) -> bool:
    """Return whether a key is a row of fields, each behind its length, of which the first is its type."""
    fields, rest = [], blob
    while len(rest) >= 4:
        length = int.from_bytes(rest[:4], "big")
        fields.append(rest[4 : 4 + length])
        rest = rest[4 + length :] if len(rest) >= 4 + length else b"cut"
    return not rest and len(fields) > 1 and fields[0] == kind.encode()


def _named(name: str, known_as: str, *, patterns: bool) -> bool:
    if name.startswith(_HASHED):
        salt, digest = _hash(name) or (b"", b"")
        return hmac.compare_digest(hmac.digest(salt, known_as.encode(), hashlib.sha1), digest)
    return fnmatchcase(known_as, _pattern(name)) if patterns else name == known_as


def _pattern(name: str) -> str:
    """A bracket is a bracket to OpenSSH: `[host]:port`."""
    return name.replace("[", "[[]")


def _hash(name: str) -> tuple[bytes, bytes] | None:
    try:
        salt, digest = (b64decode(part, validate=True) for part in name.removeprefix(_HASHED).split("|"))
    except (binascii.Error, ValueError):
        return None
    return (salt, digest) if len(salt) == len(digest) == _DIGEST_BYTES else None
