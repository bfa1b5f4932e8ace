"""A known word that is near an unknown one, for the message that refuses it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean db-1?` where a known word is near, and nothing otherwise."""
    near = get_close_matches(word.lower(), dict.fromkeys(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
