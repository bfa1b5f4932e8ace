"""Texts of servers without the secrets that may stand in them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote

_WORD = "(secret)"
# Shorter ones stand in many texts by chance.
_SHORTEST = 8
# A key has names and marks beside what is secret of it: each word of it that is as long as this counts by itself.
_LONG_WORD = 20
_REMEMBERED: set[bytes] = set()


class Veil:
    """Takes known values out of texts, however they are written: as they are, in base64, hexadecimal, for URLs."""

    def __init__(self, values: Iterable[bytes]) -> None:
        forms = {form for value in values if len(value) >= _SHORTEST for form in _forms(value)}
        words = sorted((re.escape(form) for form in forms if form), key=len, reverse=True)
        self._known = re.compile("|".join(words)) if words else None

    def __call__(self, text: str) -> str:
        """Return the text with a word in the place of each value."""
        return self._known.sub(_WORD, text) if self._known else text


def remember(values: Iterable[bytes]) -> None:
    """Keep values out of whatever this process tells of an error, for as long as it lives."""
    _REMEMBERED.update(values)


def veiled(text: str) -> str:
    """Return a text without the values that were remembered: an error may quote what it stumbled over."""
    return Veil(_REMEMBERED)(text)


def _forms(value: bytes) -> Iterable[str]:
    plain = value.decode("utf-8", "replace").strip()
    yield from (plain, quote(plain, safe=""), value.hex(), base64.b64encode(value).decode().rstrip("="))
    # Within a longer text base64 begins at any of three places, and its ends depend on what stands there.
    for before in (1, 2):
        coded = base64.b64encode(b"\0" * before + value).decode()
        yield coded[before + 1 : (before + len(value)) * 8 // 6]
    yield base64.b64encode(value).decode()[: len(value) * 8 // 6]
    # As errors quote texts: by Python, as bytes, by JSON.
    yield from (repr(plain)[1:-1], repr(value.strip())[2:-1], json.dumps(plain)[1:-1])
    yield from (word for word in plain.replace("\\n", "\n").split() if len(word) >= _LONG_WORD)
