"""What a word without quotes means: YAML 1.2's reading, in which a number is what a person wrote."""

from __future__ import annotations

import re

_DECIMAL = re.compile(r"[-+]?[0-9]+")
_PREFIXED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NAMED_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_GROUPED = re.compile(r"[-+]?[1-9][0-9]{0,2}(_[0-9]{3})+")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_OLDER_BOOLEANS = {
    **dict.fromkeys(("yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("no", "No", "NO", "off", "Off", "OFF"), False),
}
CORE = "tag:yaml.org,2002:"
_TYPES: dict[str, tuple[type, ...]] = {
    f"{CORE}int": (int,),
    f"{CORE}float": (int, float),
    f"{CORE}bool": (bool,),
    f"{CORE}null": (type(None),),
}
TEXT_TAG, LIST_TAG, MAPPING_TAG = f"{CORE}str", f"{CORE}seq", f"{CORE}map"


class OlderWord(str):
    """
    A word that YAML 1.1 took for something else: `yes`, or `10_000`.

    It is a text, except where only `meant` can have been meant.
    """

    meant: bool | int

    # A plain text travels with itself alone.
    def __getnewargs__(self) -> tuple[str, bool | int]:  # type: ignore[override]
        """Travel between processes as it is."""
        return str(self), self.meant

    def __new__(cls, word: str, meant: bool | int) -> OlderWord:
        made = super().__new__(cls, word)
        made.meant = meant
        return made


def value_of(word: str) -> str | int | float | bool | None:
    """Return what a word without quotes stands for. Raises ValueError for a number that is too long to be one."""
    if word in _WORDS:
        return _WORDS[word]
    if _DECIMAL.fullmatch(word):
        return int(word, 10)
    if _PREFIXED.fullmatch(word):
        return int(word, 0)
    if _FLOAT.fullmatch(word):
        return float(word)
    if _NAMED_FLOAT.fullmatch(word):
        return float(word.replace(".", "", 1))
    if word in _OLDER_BOOLEANS:
        return OlderWord(word, _OLDER_BOOLEANS[word])
    return OlderWord(word, int(word.replace("_", ""), 10)) if _GROUPED.fullmatch(word) else word


def means_itself(text: str) -> bool:
    """Return whether a text that stands there without quotes is read as this text."""
    try:
        return value_of(text) == text
    except ValueError:
        return False


def tagged(tag: str, word: str, *, plain: bool) -> object:
    """
    Return a scalar's value; `tag` is what stands before it, empty for nothing.

    Raises ValueError where that does not fit.
    """
    if tag == TEXT_TAG or not (tag or plain):
        return word
    value = value_of(word)
    if tag and (type(value) not in _TYPES.get(tag, ())):
        raise ValueError(f"`{short(tag)}` does not fit `{word[:40]}`")
    return value


def short(tag: str) -> str:
    """Return a tag as a person writes it."""
    return f"!!{tag.removeprefix(CORE)}" if tag.startswith(CORE) else tag


def knows(tag: str) -> bool:
    """Return whether a tag before a scalar says what a plain value could say, too."""
    return tag in _TYPES or tag == TEXT_TAG
