"""Requests that HAProxy's maps would send to processes which, in a given image, do not answer them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from model.rollout.synapse.processes import MAIN, Processes
from model.rollout.synapse.routes import RouteTable, SynapseRoute
from model.rollout.synapse.routing import Routing
from model.rollout.synapse.samples import samples

_GOES_ON = "since=s1"


def misrouted(routed: Routing, running: Processes, table: RouteTable, found: RouteTable) -> tuple[str, ...]:
    """
    Return a sentence for each route, of the maps' table or of the image, of which some request would reach a worker
    that does not serve it. What main gets is right: it serves all that there is.

    Raises `ValueError` for a pattern of which no request can be made.
    """
    served = _Served(found)
    rows = {(route.method, route.pattern): route for route in (*table.routes, *found.routes)}
    sentences = [words for _, route in sorted(rows.items()) if (words := _judged(route, routed, running, served))]
    return (*sentences, *_trees(routed, running, table, found))


class _Served:
    """What the image serves, by request."""

    def __init__(self, found: RouteTable) -> None:
        self._patterns = [(route.method, re.compile(route.pattern), route.kinds) for route in found.routes]

    def kinds(self, method: str, path: str) -> frozenset[str]:
        """Return the kinds of process of which some route answers a request."""
        return frozenset().union(
            *(kinds for of, pattern, kinds in self._patterns if of == method and pattern.match(path))
        )


def _judged(route: SynapseRoute, routed: Routing, running: Processes, served: _Served) -> str:
    for path in samples(route):
        pool = routed.pool_of(route.method, path, _GOES_ON)
        if pool != MAIN and running.by_pool[pool].kind not in (kinds := served.kinds(route.method, path)):
            return _sentence(f"{route.method} {route.pattern}", pool, kinds)
    return ""


def _trees(routed: Routing, running: Processes, table: RouteTable, found: RouteTable) -> Iterator[str]:
    for tree in sorted(table.trees.keys() | found.trees.keys()):
        pool, kinds = routed.pool_of("GET", f"{tree}/sample"), found.trees.get(tree, frozenset[str]())
        if pool != MAIN and running.by_pool[pool].kind not in kinds:
            yield _sentence(f"{tree}/", pool, kinds)


def _sentence(what: str, pool: str, kinds: Collection[str]) -> str:
    where = f"on {'+'.join(sorted(kinds))} alone" if kinds else "nowhere"
    return f"{what}: HAProxy's maps send it to {pool}, and the image serves it {where}"
