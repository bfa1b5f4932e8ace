"""Claims about the gate of the routes, tried with a proxy that routes by the site's own table, or not quite."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import pytest

from apps.message_probe.wire import Origin, dial_to
from model.report.outcome import Status
from model.rollout.synapse.processes import processes
from model.rollout.synapse.routes import dumped
from model.rollout.synapse.routing import Routing, routing
from model.rollout.synapse.samples import every_sample
from remote.gates import routes
from remote.gates.gate import GateResult
from remote.gates.public import Way
from tests.model.rollout.synapse.synapse_sites import running, site
from tests.remote.gates.web import Reply, serving
from tests.remote.gates.world import World

VERSION = "1.163.2"


class Proxy:
    """Routes as the site's table says, unless a test says otherwise."""

    def __init__(self, world: World) -> None:
        self.settings = world.site.settings
        self.table = dumped(VERSION)
        self.routed: Routing = routing(self.table, processes(self.settings, "matrix"))
        self.change: Callable[[str, str, str], str] = lambda _method, _path, pool: f"{pool}/{pool}-1"
        self.closed = True

    def public(self, method: str, path: str, headers: Mapping[str, str]) -> Reply:
        bare = path.partition("?")[0]
        if self.closed and not routes.public(bare, self.settings):
            return Reply(403)
        return self.inside(method, path, headers)

    def inside(self, method: str, path: str, headers: Mapping[str, str]) -> Reply:
        assert headers["X-Matrix-Fleet-Probe"]
        bare, _, query = path.partition("?")
        named = self.change(method, bare, self.routed.pool_of(method, bare, query))
        return Reply(401, b"{}", {"X-Matrix-Fleet-Pool": named} if named else {})


@pytest.fixture
def proxy(world: World) -> Iterator[Proxy]:
    """A proxy on both fronts."""
    standing = Proxy(world)
    with serving(standing.public) as outer, serving(standing.inside) as inner:
        world.pod("haproxy-a", "matrix", {"matrix-fleet.io/pod": "haproxy"}, "10.0.0.1")
        world.ports["10.0.0.1", 8009] = inner
        standing.outer, standing.inner = outer, inner  # type: ignore[attr-defined]
        yield standing


def tried(proxy: Proxy, *, inside: bool = False) -> GateResult:
    """Ask every row, as the gate does."""
    make = routes.inside_trials if inside else routes.public_trials
    port = proxy.inner if inside else proxy.outer  # type: ignore[attr-defined]
    origin = Origin(name="matrix.example.test", port=80, dial=dial_to("127.0.0.1", port))
    trials = tuple(make(proxy.table, proxy.routed, proxy.settings))
    return routes.judged(routes.ask(origin, trials), Way("vantage-1 over IPv4", True, origin))


def test_every_route_has_its_request_and_reaches_its_pool(proxy: Proxy) -> None:
    result = tried(proxy)
    assert (result.status, result.findings) == (Status.OK, ())
    assert result.figures["routes"] >= sum(1 for _ in every_sample(proxy.table.routes)) + len(proxy.table.trees)
    assert result.figures["neighbours"] > 50
    assert result.figures["pools"] == len(proxy.routed.pools)


def test_what_is_not_public_reaches_its_pool_from_inside(proxy: Proxy) -> None:
    result = tried(proxy, inside=True)
    assert (result.status, result.findings) == (Status.OK, ())
    assert result.figures["routes"] > 100


@pytest.mark.parametrize("federation", [False, True])
def test_every_form_of_every_row_and_every_rule_of_the_maps_is_tried(federation: bool) -> None:
    of = site(20000, federation=federation)
    table, routed = dumped(VERSION), routing(dumped(VERSION), running(of))
    outer = tuple(routes.public_trials(table, routed, of.settings))
    inner = tuple(routes.inside_trials(table, routed, of.settings))
    answered = {(trial.method, trial.path) for trial in (*outer, *inner) if trial.pool and not trial.neighbour}
    assert answered >= {(route.method, path) for route, path in every_sample(table.routes)}
    requests = [f"{method}:{path}" for method, path in answered]
    untried = {rule.path for rule in routed.rules if not any(re.search(rule.expression, one) for one in requests)}
    assert untried == set()
    # What the border refuses for its path alone says nothing of a rule: each such neighbour is tried inside as well.
    refused = {(trial.method, trial.path) for trial in outer if trial.neighbour and not trial.pool}
    assert refused
    assert refused == {(trial.method, trial.path) for trial in inner if trial.neighbour}


def test_a_neighbour_of_an_administrators_route_is_tried_inside(proxy: Proxy) -> None:
    proxy.change = lambda _method, path, pool: (
        "media/m-1" if path.startswith("/_synapse/admin/") and "neighbour" in path else f"{pool}/{pool}-1"
    )
    assert "/neighbour/of/none: reaches media, and main must answer it" in "\n".join(tried(proxy, inside=True).findings)


def test_a_route_that_reaches_another_pool_is_found(proxy: Proxy) -> None:
    def change(method: str, path: str, pool: str) -> str:
        return "main/main-1" if (method, path.rpartition("/")[2]) == ("POST", "upload") else f"{pool}/{pool}-1"

    proxy.change = change
    said = "\n".join(tried(proxy).findings)
    assert "reaches main, and media must answer it" in said


def test_a_neighbour_that_matches_is_found(proxy: Proxy) -> None:
    proxy.change = lambda _method, path, pool: (
        "media/m-1" if path.endswith("/neighbour/of/none") else f"{pool}/{pool}-1"
    )
    assert "/neighbour/of/none: reaches media" in "\n".join(tried(proxy).findings)


def test_an_administrators_route_at_the_public_name_is_found(proxy: Proxy) -> None:
    proxy.closed = False
    said = "\n".join(tried(proxy).findings)
    assert "/_synapse/admin/v1/register: is not refused at the public name (HTTP 401 main/main-1)" in said


def test_a_proxy_that_names_no_pool_proves_nothing(proxy: Proxy) -> None:
    proxy.change = lambda _method, _path, _pool: ""
    assert "the proxy does not say which pool answered (HTTP 401)" in "\n".join(tried(proxy).findings)


def test_a_pool_without_a_process_is_found(proxy: Proxy) -> None:
    proxy.change = lambda _method, _path, pool: f"{pool}/{'<NOSRV>' if pool == 'sync' else pool}"
    assert "no process of sync answers" in "\n".join(tried(proxy).findings)


def test_routes_of_another_version_than_runs_are_told() -> None:
    result = GateResult(status=Status.OK, why="all reach their pools")
    assert routes.of_version(result, dumped(VERSION), VERSION) == result
    told = routes.of_version(result, dumped("1.999.0"), "1.999.0")
    assert told.why == f"{result.why}; the routes are those of Synapse {VERSION}, the nearest to 1.999.0 that is kept"


def test_silence_is_found(world: World, proxy: Proxy) -> None:
    origin = Origin(name="matrix.example.test", port=80, dial=dial_to("127.0.0.1", 1))
    (trial, *_) = routes.public_trials(proxy.table, proxy.routed, proxy.settings)
    result = routes.judged(routes.ask(origin, [trial]), Way("nowhere", True, origin))
    assert (result.status, "no answer" in result.why) == (Status.DRIFT, True)


def test_no_requests_prove_nothing() -> None:
    origin = Origin(name="m", dial=dial_to("127.0.0.1", 1))
    assert routes.judged((), Way("nowhere", True, origin)).status == Status.UNPROVEN
