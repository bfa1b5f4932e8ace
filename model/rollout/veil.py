"""Texts of servers without the secrets that may stand in them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote

_WORD = "(secret)"
# Shorter ones stand in many texts by chance.
_SHORTEST = 8
# A key has names and marks beside what is secret of it: each word of it that is as long as this counts by itself.
_LONG_WORD = 20
_REMEMBERED: set[bytes] = set()
_FOR_URLS = str.maketrans("+/", "-_")


class Veil:
    """
    Takes known values out of texts, however they are written: as they are, hexadecimal, for URLs, and in base64, also
    where they are a part of what is encoded there.
    """

    def __init__(self, values: Iterable[bytes]) -> None:
        self._patterns = _patterns(frozenset(value for value in values if len(value.strip()) >= _SHORTEST))

    def __call__(self, text: str) -> str:
        """Return the text with a word in the place of each value."""
        for pattern in self._patterns:
            text = pattern.sub(_WORD, text)
        return text


def remember(values: Iterable[bytes]) -> None:
    """Keep values out of whatever this process tells of an error, for as long as it lives."""
    _REMEMBERED.update(values)


def veiled(text: str) -> str:
    """Return a text without the values that were remembered: an error may quote what it stumbled over."""
    return Veil(_REMEMBERED)(text)


@lru_cache(maxsize=4)
def _patterns(values: frozenset[bytes]) -> tuple[re.Pattern[str], ...]:
    """Return what finds values in texts: first in base64, whose letters on both sides hold parts of them too."""
    letters = r"[A-Za-z0-9+/_-]{0,3}"
    found = []
    coded, plain = _alternatives(map(_coded, values)), _alternatives(map(_forms, values))
    if coded:
        found.append(re.compile(f"{letters}(?:{coded}){letters}={{0,2}}"))
    if plain:
        found.append(re.compile(plain))
    return tuple(found)


def _alternatives(forms: Iterable[Iterable[str]]) -> str:
    words = {re.escape(form) for some in forms for form in some if form}
    return "|".join(sorted(words, key=len, reverse=True))


def _coded(value: bytes) -> Iterator[str]:
    """Yield the letters that stand for a value alone wherever it begins in what is encoded: at three places of four."""
    text = value.strip()
    for start in range(3):
        rest = text[start:]
        whole = base64.b64encode(rest)[: 4 * (len(rest) // 3)].decode()
        yield from (whole, whole.translate(_FOR_URLS))


def _forms(value: bytes) -> Iterator[str]:
    plain = value.decode("utf-8", "replace").strip()
    yield from (plain, quote(plain, safe=""), quote(plain), value.strip().hex(), value.strip().hex().upper())
    # As errors quote texts: by Python, as bytes, by JSON.
    yield from (repr(plain)[1:-1], repr(value.strip())[2:-1], json.dumps(plain)[1:-1])
    yield from (word for word in plain.replace("\\n", "\n").split() if len(word) >= _LONG_WORD)
