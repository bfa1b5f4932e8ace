"""A route that the maps send to a worker, and that the image does not serve there, is named; others are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from model.rollout.synapse.misrouting import misrouted
from model.rollout.synapse.routes import RouteTable, SynapseRoute
from model.rollout.synapse.routing import routing
from tests.model.rollout.synapse.synapse_sites import running, site, table

WHOAMI, UPLOAD = "WhoamiRestServlet", "UploadServlet"
Change = Callable[[RouteTable], RouteTable]


def found(change: Change, size: str | int = "small") -> tuple[str, ...]:
    here = running(site(size, federation=True))
    return misrouted(routing(table(), here), here, table(), change(table()))


def served(servlet: str, *kinds: str) -> Change:
    def change(known: RouteTable) -> RouteTable:
        rows = [replace(row, kinds=frozenset(kinds)) if servlet in row.servlets else row for row in known.routes]
        return replace(known, routes=tuple(row for row in rows if row.kinds))

    return change


def added(pattern: str, *kinds: str) -> Change:
    route = SynapseRoute(method="GET", pattern=pattern, servlets=frozenset({"New"}), kinds=frozenset(kinds))
    return lambda known: replace(known, routes=(*known.routes, route))


def pattern_of(servlet: str) -> list[str]:
    return [f"{row.method} {row.pattern}" for row in table().routes if servlet in row.servlets]


@pytest.mark.parametrize("size", ["small", 20000])
def test_what_the_maps_are_made_from_is_in_order(size: str | int) -> None:
    assert found(lambda known: known, size) == ()


@pytest.mark.parametrize(
    ("servlet", "kinds", "where"),
    [
        (WHOAMI, ("main",), "client-reader, and the image serves it on main alone"),
        (WHOAMI, (), "client-reader, and the image serves it nowhere"),
        (WHOAMI, ("main", "media"), "client-reader, and the image serves it on main+media alone"),
        (UPLOAD, ("main", "worker"), "media, and the image serves it on main+worker alone"),
    ],
)
def test_a_route_that_its_pool_does_not_serve_is_named(servlet: str, kinds: tuple[str, ...], where: str) -> None:
    rows = pattern_of(servlet)
    assert rows
    assert found(served(servlet, *kinds), 20000) == tuple(
        f"{row}: HAProxy's maps send it to {where}" for row in sorted(rows)
    )


def test_what_goes_to_main_may_come_and_go() -> None:
    assert found(added("^/_matrix/client/unstable/org.example/new$", "main", "worker")) == ()
    assert pattern_of("ClientAppserviceDirectoryListServer")
    assert found(served("ClientAppserviceDirectoryListServer")) == ()


def test_a_new_route_that_an_old_rule_takes_to_a_worker_is_named() -> None:
    change = added("^/_matrix/client/v3/account/whoami$", "main")
    assert found(change) == (), "the old row serves it there still"

    def both(known: RouteTable) -> RouteTable:
        return added("^/_matrix/client/(v3|v4)/account/whoami$", "main")(served(WHOAMI)(known))

    new = "GET ^/_matrix/client/(v3|v4)/account/whoami$: HAProxy's maps send it to"
    assert [words for words in found(both) if words.startswith(new)]


def test_a_tree_that_its_pool_lacks_is_named() -> None:

    def gone(known: RouteTable) -> RouteTable:
        return replace(known, trees={"/_matrix/key": frozenset({"main"})})

    (sentence,) = found(gone, 20000)
    assert (
        sentence == "/_matrix/key/: HAProxy's maps send it to federation-reader, and the image serves it on main alone"
    )
