"""A rendered stack with one object spoiled, and the rows that say which rule finds it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from model.rollout.invariants.stack import Stack
from model.rollout.rendered import RenderedComponent

Spoil = Callable[[dict[str, Any]], None]
Place = tuple[str, str, str]
# A rule, the component, kind and name (its beginning) of an object, and what spoils it.
Row = tuple[str, Place, Spoil]

POD = ("spec", "template", "spec")
FIRST = (*POD, "containers", 0)
REDIS: Place = ("redis", "StatefulSet", "redis")
SEAWEEDFS: Place = ("seaweedfs-volumes", "StatefulSet", "seaweedfs-volume")


def put(*path: str | int, value: object) -> Spoil:
    """Return what gives an object another value at a place; None takes what is there away."""

    def spoil(manifest: dict[str, Any]) -> None:
        place = _within(manifest, path[:-1])
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return spoil


def add(*path: str | int, value: object) -> Spoil:
    """Return what adds a value to a list of an object."""
    return lambda manifest: _within(manifest, path).append(value)


def _within(manifest: dict[str, Any], path: tuple[str | int, ...]) -> Any:
    place: Any = manifest
    for step in path:
        place = place[step]
    return place


def spoiled(whole: Stack, place: Place, spoil: Spoil) -> Stack:
    """Return the stack with a copy of one object spoiled."""
    component, kind, name = place
    parts = []
    for part in whole.components:
        objects = part.objects
        if part.name == component:
            objects = copy.deepcopy(part.objects)
            spoil(next(m for m in objects if m["kind"] == kind and m["metadata"]["name"].startswith(name)))
        parts.append(RenderedComponent(component=part.component, objects=objects, files=part.files))
    return Stack(whole.site, tuple(parts))
