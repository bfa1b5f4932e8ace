"""Which conditions of a Kubernetes object hold?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def condition(thing: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """
    Return an object's condition of a kind; empty where its controller has not said one yet.

    The API writes a list that nobody filled as null where its type does not leave it out (CustomResourceDefinition is one).
    """
    said = (thing.get("status") or {}).get("conditions") or ()
    return next((one for one in said if one["type"] == kind), {})


def holds(thing: Mapping[str, Any], kind: str) -> bool:
    """Tell whether an object's condition of a kind is said to be True."""
    return bool(condition(thing, kind).get("status") == "True")
