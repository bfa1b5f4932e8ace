"""Whether an object already holds everything that a manifest says of it."""

from __future__ import annotations

from typing import Any


def contains(live: Any, wanted: Any) -> bool:
    """
    Return whether every value of `wanted` stands in `live`.

    Maps may hold more than is wanted; lists must be as long, since what is more in them may have to go. False is no
    proof of a difference: `1000m` and `1` mean the same, and only the server knows.
    """
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            return not wanted and live is None
        return all(_held(live, key, value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(contains, live, wanted))
    return bool(type(live) is type(wanted) and live == wanted)


def _held(live: dict[str, Any], key: str, value: Any) -> bool:
    if key in live:
        return contains(live[key], value)
    # The API leaves out what is empty.
    return value is None or value in ({}, [])
