"""The routes that a Synapse serves, as its own routers were dumped in its image."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from model.errors import SiteError
from model.rollout.synapse.kept_versions import kept, nearest

FOLDER = Path(__file__).parent
ADMIN = "/_synapse/admin/"


@dataclass(frozen=True, slots=True, kw_only=True)
class SynapseRoute:
    """A method and a pattern of paths, the servlets that answer it, and the kinds of process that have one of them."""

    method: str
    pattern: str
    servlets: frozenset[str]
    kinds: frozenset[str]

    @property
    def anchored(self) -> str:
        """The pattern, matched from the path's first letter on as Synapse does it, without names of groups."""
        return _unnamed(self.pattern.removeprefix("^"))

    @property
    def of_admin(self) -> bool:
        """Whether it is part of the administration's API."""
        return self.anchored.startswith(ADMIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """
    Everything one version serves; `trees` are prefixes below which a resource of its own answers, with the kinds of
    process that have it.
    """

    version: str
    routes: tuple[SynapseRoute, ...]
    trees: Mapping[str, frozenset[str]] = field(default_factory=dict)


def read(text: str) -> RouteTable:
    """Read a dump. Two servlets of the same method and pattern become one route."""
    document = json.loads(text)
    found: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    for method, pattern, servlet, kinds in document["routes"]:
        servlets, everywhere = found.setdefault((method, pattern), (set(), set()))
        servlets.add(servlet)
        everywhere.update(kinds)
    routes = tuple(
        SynapseRoute(method=method, pattern=pattern, servlets=frozenset(servlets), kinds=frozenset(kinds))
        for (method, pattern), (servlets, kinds) in found.items()
    )
    trees = {prefix: frozenset(kinds) for prefix, kinds in document["trees"]}
    return RouteTable(version=document["version"], routes=routes, trees=trees)


@cache
def dumped(version: str) -> RouteTable:
    """
    Return the routes of a version that was dumped before, of the nearest such version where it was not.

    Raises `SiteError` for what is no version.
    """
    known = kept(FOLDER, "routes")
    found = nearest(version, known)
    if found is None:
        raise SiteError(
            f"images.yaml: {version} is no version of Synapse whose routes could be told (known: {', '.join(known)})",
            next_step="give Synapse's image a tag that begins with its version, as v1.163.2",
        )
    return read((FOLDER / f"routes-{found}.json").read_text("utf-8"))


def difference(known: RouteTable, found: RouteTable) -> tuple[str, ...]:
    """Return in sentences what a dump has more or less than the one that routing was made from."""
    return (
        *(f"{row}: new in the image" for row in _only(found.routes, known.routes)),
        *(f"{row}: not in the image" for row in _only(known.routes, found.routes)),
        *_moved(known, found),
        *(f"{tree}/: new in the image" for tree in sorted(found.trees.keys() - known.trees.keys())),
        *(f"{tree}/: not in the image" for tree in sorted(known.trees.keys() - found.trees.keys())),
    )


def _only(these: Iterable[SynapseRoute], those: Iterable[SynapseRoute]) -> list[str]:
    there = {(route.method, route.pattern) for route in those}
    return sorted(f"{route.method} {route.pattern}" for route in these if (route.method, route.pattern) not in there)


def _moved(known: RouteTable, found: RouteTable) -> list[str]:
    before = {(route.method, route.pattern): route for route in known.routes}
    moved = []
    for route in found.routes:
        former = before.get((route.method, route.pattern))
        if former is not None and (former.kinds, former.servlets) != (route.kinds, route.servlets):
            moved.append(f"{route.method} {route.pattern}: {_where(former)} before, {_where(route)} in the image")
    return sorted(moved)


def _where(route: SynapseRoute) -> str:
    return f"{'+'.join(sorted(route.servlets))} on {'+'.join(sorted(route.kinds))}"


def _unnamed(pattern: str) -> str:
    """Drop the names of groups: `(?P<room_id>[^/]*)` becomes `([^/]*)`."""
    head, *rest = pattern.split("(?P<")
    return head + "".join("(" + part.partition(">")[2] for part in rest)
