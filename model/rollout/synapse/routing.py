"""Which pool answers a request: each route of the dump goes to the pool whose duty it is, everything else to main."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qs

from model.rollout.synapse.duties import Duty
from model.rollout.synapse.processes import MAIN, Processes
from model.rollout.synapse.routes import RouteTable, SynapseRoute

SYNC, INITIAL = "sync", "initial-sync"
# The one path whose pool depends on its query; sliding sync says in its body where it stands.
SYNC_PATH = re.compile(r"^/_matrix/client/(r0|v3|unstable)/sync$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Requests of these methods whose whole path matches go to this pool."""

    methods: tuple[str, ...]
    path: str
    pool: str

    @property
    def expression(self) -> str:
        """The expression over `METHOD:PATH`."""
        methods = f"({'|'.join(self.methods)})" if self.methods else "[A-Z]+"
        return f"^{methods}:{self.path}"


@dataclass(frozen=True, kw_only=True)
class Routing:
    """Rules in the order in which they are tried; the first that matches decides, and main answers the rest."""

    rules: tuple[Rule, ...]
    initial: bool

    @cached_property
    def _compiled(self) -> tuple[tuple[re.Pattern[str], str], ...]:
        return tuple((re.compile(rule.expression), rule.pool) for rule in self.rules)

    @property
    def pools(self) -> frozenset[str]:
        """Every pool that requests reach."""
        return frozenset({MAIN, *(rule.pool for rule in self.rules), *((INITIAL,) if self.initial else ())})

    def pool_of(self, method: str, path: str, query: str = "") -> str:
        """Return the pool that answers a request, as HAProxy decides it."""
        request = f"{method}:{path}"
        pool = next((pool for expression, pool in self._compiled if expression.search(request)), MAIN)
        return INITIAL if self.initial and pool == SYNC and is_initial(path, query) else pool

    def map_file(self) -> str:
        """Return the rules as HAProxy's map: an expression and a pool a line."""
        return "".join(f"{rule.expression} {rule.pool}\n" for rule in self.rules)


def is_initial(path: str, query: str) -> bool:
    """Return whether a request is the first of a client, who knows nothing yet: long, and large to answer."""
    asked = parse_qs(query, keep_blank_values=True)
    return bool(SYNC_PATH.match(path)) and ("since" not in asked or asked.get("full_state") == ["true"])


def routing(table: RouteTable, running: Processes) -> Routing:
    """Return how the site's requests are routed to the processes that it runs."""
    order = {duty.name: place for place, duty in enumerate(running.duties)}
    found: dict[tuple[int, str, str], set[str]] = {}
    for route in table.routes:
        duty = duty_of(route, running)
        if duty is not None:
            found.setdefault((order[duty.name], route.anchored, running.home(duty).name), set()).add(route.method)
    rules = [
        Rule(methods=tuple(sorted(methods)), path=path, pool=pool)
        for (_, path, pool), methods in sorted(found.items(), key=lambda item: item[0])
    ]
    return Routing(rules=(*rules, *_trees(table, running)), initial=INITIAL in running.by_pool)


def duty_of(route: SynapseRoute, running: Processes) -> Duty | None:
    """Return the duty a route belongs to, None where main must answer it."""
    if route.kinds == {"media"}:
        return next(duty for duty in running.duties if duty.everything_of == "media")
    if route.of_admin:
        return None
    duty = by_servlet(running).get(next(iter(route.servlets))) if len(route.servlets) == 1 else None
    if duty is None or running.home(duty).name == MAIN:
        return None
    # What a worker does not serve would be a 404 there, whatever documents say.
    return duty if running.home(duty).kind in route.kinds else None


def by_servlet(running: Processes) -> Mapping[str, Duty]:
    """Return the duty of each servlet."""
    return {servlet: duty for duty in running.duties for servlet in duty.servlets}


def _trees(table: RouteTable, running: Processes) -> list[Rule]:
    return [
        Rule(methods=(), path=f"{re.escape(tree)}/.*$", pool=running.home(duty).name)
        for duty in running.duties
        for tree in duty.trees
        if tree in table.trees and running.home(duty).name != MAIN
    ]
