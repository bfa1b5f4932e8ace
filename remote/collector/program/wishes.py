"""Which few things may a run ask for? A closed set: nothing else is read, wherever the wishes come from."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

SYSCTL = re.compile(r"^[a-z0-9_]+(\.[a-zA-Z0-9_-]+)+$")
UNIT = re.compile(r"^[A-Za-z0-9@_.-]+\.(service|socket|timer)$")
NAME = re.compile(r"^[a-z0-9-]+(\.[a-z0-9-]+)*$")
SERVER = re.compile(r"^[0-9a-fA-F:.]+$")
MODULE = re.compile(r"^[a-z0-9_]+$")
_LISTS = {"sysctl": SYSCTL, "units": UNIT, "modules": MODULE, "sections": MODULE}
_MOST = 200


class BadWish(Exception):
    """A wish that is none of the closed set."""


def checked(wishes: Any, sections: Collection[str] = ()) -> dict[str, Any]:
    """Return the wishes if each is one of the closed set, `sections` among it; raises BadWish."""
    if not isinstance(wishes, dict) or not set(wishes) <= {*_LISTS, "dns", "cluster_dns", "tls"}:
        raise BadWish("wishes are an object of sections, sysctl, units, modules, dns, cluster_dns and tls")
    for key, pattern in _LISTS.items():
        for word in _listed(wishes.get(key, [])):
            _fits(pattern, word)
    if not set(wishes.get("sections", ())) <= set(sections):
        raise BadWish(f"no such section: {', '.join(sorted(set(wishes['sections']) - set(sections)))[:80]}")
    for each in (*_listed(wishes.get("dns", [])), *_listed(wishes.get("cluster_dns", []))):
        _exactly(each, {"server", "names"})
        if each["server"] is not None:
            _fits(SERVER, each["server"])
        _names(each["names"])
    for each in _listed(wishes.get("tls", [])):
        _exactly(each, {"port", "names"})
        if type(each["port"]) is not int or not 1 <= each["port"] <= 65535:
            raise BadWish(f"no port: {each['port']!r}")
        _names(each["names"])
    return wishes


def _names(names: Any) -> None:
    for name in _listed(names):
        _fits(NAME, name)


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > _MOST:
        raise BadWish(f"no list of at most {_MOST}: {str(value)[:80]}")
    return value


def _exactly(value: Any, keys: set[str]) -> None:
    if not isinstance(value, dict) or set(value) != keys:
        raise BadWish(f"no object of {', '.join(sorted(keys))}: {str(value)[:80]}")


def _fits(pattern: re.Pattern[str], word: Any) -> None:
    if not isinstance(word, str) or len(word) > 253 or not pattern.match(word):
        raise BadWish(f"not allowed: {str(word)[:80]}")
