"""Every route of the dump reaches the pool whose duty it is, and nothing that only looks like it does."""

from __future__ import annotations

import json
import re

import pytest

from model.errors import SiteError
from model.rollout.synapse.duties import duties
from model.rollout.synapse.kept_versions import nearest
from model.rollout.synapse.processes import MAIN
from model.rollout.synapse.routes import RouteTable, SynapseRoute, difference, dumped, read
from model.rollout.synapse.routing import Routing, duty_of, routing
from model.rollout.synapse.samples import every_sample, neighbours, samples
from tests.model.rollout.synapse.synapse_sites import SIZES, VERSION, running, site, table

SYNC = "/_matrix/client/v3/sync"


def routed(size: str | int, federation: bool = True) -> Routing:
    return routing(table(), running(site(size, federation=federation)))


@pytest.mark.parametrize("size", SIZES)
def test_each_row_of_the_dump_reaches_the_pool_whose_duty_it_is(size: str | int) -> None:
    here = running(site(size, federation=True))
    made = routing(table(), here)
    for route, path in every_sample(table().routes):
        assert re.match(route.pattern, path), "the sample is none of the pattern's"
        duty = duty_of(route, here)
        assert made.pool_of(route.method, path, "since=s1") == (here.home(duty).name if duty else MAIN), path


@pytest.mark.parametrize("size", SIZES)
def test_a_pool_gets_only_what_its_processes_serve(size: str | int) -> None:
    made = routed(size)
    for route, path in every_sample(table().routes):
        pool = made.pool_of(route.method, path)
        kind = {"main": "main", "media": "media"}.get(pool, "worker")
        assert kind in route.kinds or pool == MAIN, f"{pool} answers {route.method} {path} with 404"


@pytest.mark.parametrize("size", SIZES)
def test_a_neighbour_of_a_row_is_not_taken_for_it(size: str | int) -> None:
    made = routed(size)
    for route in table().routes:
        for path in neighbours(route):
            assert not re.match(route.pattern, path)
            assert made.pool_of(route.method, path) == MAIN, path


def test_text_that_a_user_chooses_steers_nothing() -> None:
    made = routed(20000)
    send = "/_matrix/client/v3/rooms/!r:x/send"
    assert made.pool_of("PUT", f"{send}/m.x/typing") == "event-creator"
    assert made.pool_of("PUT", "/_matrix/client/v3/rooms/!r:x/typing/@u:x") == "typing"
    assert made.pool_of("PUT", f"{send}/sync/sync") == "event-creator"
    assert made.pool_of("GET", "/_matrix/client/v3/rooms/..%2F..%2Fsync/members") == "client-reader"
    assert made.pool_of("GET", "/x/_matrix/client/v3/sync") == MAIN
    assert made.pool_of("GET", "/_matrix/client/v3/sync/") == MAIN


def test_the_method_counts() -> None:
    made = routed("small")
    delayed = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/d1"
    assert made.pool_of("PUT", "/_matrix/client/v3/user/@u:x/account_data/m.x") == "stream-writer"
    assert made.pool_of("POST", "/_matrix/client/v3/user/@u:x/account_data/m.x") == MAIN
    # Documented for workers, and served by main alone.
    assert made.pool_of("POST", f"{delayed}/cancel") == MAIN


def test_a_first_sync_has_a_pool_of_its_own_where_there_is_one() -> None:
    large, small = routed(1000), routed("small")
    assert large.pool_of("GET", SYNC) == "initial-sync"
    assert large.pool_of("GET", SYNC, "since=s1&timeout=30000") == "sync"
    assert large.pool_of("GET", SYNC, "since=s1&full_state=true") == "initial-sync"
    assert large.pool_of("GET", SYNC, "since=s1&full_state=false") == "sync"
    assert large.pool_of("POST", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync") == "sync"
    assert small.pool_of("GET", SYNC) == "sync"


def test_administration_stays_with_main_save_media() -> None:
    made = routed(20000)
    assert made.pool_of("GET", "/_synapse/admin/v1/rooms/!r:x") == MAIN
    assert made.pool_of("GET", "/_synapse/admin/v2/users/@u:x") == MAIN
    assert made.pool_of("POST", "/_synapse/admin/v1/quarantine_media/!r:x") == "media"


def test_a_worker_that_does_not_serve_a_route_never_gets_it() -> None:
    here = running(site("small"))
    route = next(route for route in table().routes if route.servlets == {"WhoamiRestServlet"})
    moved = SynapseRoute(method="GET", pattern=route.pattern, servlets=route.servlets, kinds=frozenset({"main"}))
    made = routing(RouteTable(version="x", routes=(moved,)), here)
    assert duty_of(route, here) is not None
    assert duty_of(moved, here) is None
    assert made.pool_of("GET", samples(moved)[0]) == MAIN


def test_servlets_of_the_duties_exist_and_belong_to_one_duty() -> None:
    named = [servlet for duty in duties().duties for servlet in duty.servlets]
    served = {servlet for route in table().routes for servlet in route.servlets}
    assert len(named) == len(set(named))
    # Threads' are served where an experimental feature is on.
    assert {servlet for servlet in named if servlet not in served and "Thread" not in servlet} == set()


def test_a_version_whose_routes_nobody_dumped_is_routed_by_the_nearest() -> None:
    assert {dumped(version).version for version in ("1.99.0", "1.163.3", "2.0.0", "1.164.0rc1")} == {VERSION}
    with pytest.raises(SiteError, match=r"images\.yaml: prod is no version of Synapse"):
        dumped("prod")


@pytest.mark.parametrize(
    ("version", "found"), [("1.9.0", "1.9.0"), ("1.9.5", "1.9.0"), ("1.100.0", "1.10.0"), ("1.2", "1.9.0"), ("x", None)]
)
def test_the_nearest_version_is_the_newest_that_is_not_newer(version: str, found: str | None) -> None:
    assert nearest(version, ("1.9.0", "1.10.0", "2.0")) == found


def test_other_routes_in_the_image_are_told() -> None:
    def dump(tree: str, *rows: list[object]) -> RouteTable:
        return read(json.dumps({"version": "1", "routes": rows, "trees": [[tree, ["main"]]]}))

    known = dump("/x", ["GET", "^/a$", "A", ["main", "worker"]], ["GET", "^/b$", "B", ["main"]])
    found = dump("/y", ["GET", "^/a$", "A", ["main"]], ["PUT", "^/c$", "C", ["main"]])
    assert difference(known, known) == ()
    assert difference(known, found) == (
        "PUT ^/c$: new in the image",
        "GET ^/b$: not in the image",
        "GET ^/a$: A on main+worker before, A on main in the image",
        "/y/: new in the image",
        "/x/: not in the image",
    )


@pytest.mark.parametrize("pattern", ["^/a(b", "^/a{2}$", "^/a(?=b)$"])
def test_a_pattern_of_another_kind_makes_no_sample(pattern: str) -> None:
    route = SynapseRoute(method="GET", pattern=pattern, servlets=frozenset({"A"}), kinds=frozenset({"main"}))
    with pytest.raises(ValueError, match="/a"):
        samples(route)
