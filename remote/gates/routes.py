"""Does each of Synapse's routes reach the pool that answers it, and its neighbours not?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from apps.message_probe.wire import Connection, Origin, Unanswered
from model.report.outcome import Status
from model.rollout.synapse.processes import processes
from model.rollout.synapse.routes import RouteTable, SynapseRoute, dumped
from model.rollout.synapse.routing import Routing, routing
from model.rollout.synapse.samples import every_sample, neighbours, samples
from model.rollout.values.haproxy import synapse_version
from remote.gates.gate import GateContext, GateResult, concluded
from remote.gates.public import Way, administration_origin, inside_way, outside_ways, own_ways, reached

if TYPE_CHECKING:
    from model.site.settings import Settings

_AT_ONCE = 4
_SECONDS = 20.0
# What the public frontend hands on; the rest must be refused there.
_PUBLIC = ("/_matrix/client/", "/_matrix/media/", "/_synapse/client/")
_FEDERATION = ("/_matrix/federation/", "/_matrix/key/")
_OPENID = "/_matrix/federation/v1/openid/userinfo"
_NEXT = (
    "do HAProxy's maps agree with the Synapse that runs? `python -m flows.rollout --component haproxy` makes them anew"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTrial:
    """A request to be tried: `pool` is who must answer it, empty where it must be refused at the border."""

    method: str
    path: str
    pool: str
    neighbour: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAnswer:
    """What came: the pool that the proxy names, and HTTP's status."""

    trial: RouteTrial
    pool: str = ""
    status: int = 0
    failure: str = ""


def run(context: GateContext) -> GateResult:
    """
    Ask each row of the table over the public name, and what is not public over the inside.

    Requests carry no valid token: the proxy chooses the pool all the same, and Synapse refuses before it does anything.
    """
    settings = context.site.settings
    version = synapse_version(context.site)
    table = dumped(version)
    routed = routing(table, processes(settings, "matrix"))
    trials = tuple(public_trials(table, routed, settings))
    way = _way(context)
    context.say(f"{len(trials)} requests over {way.name}")
    answers = ask(way.origin, trials)
    inside = tuple(inside_trials(table, routed, settings))
    context.say(f"{len(inside)} requests over the inside")
    answers += ask(administration_origin(context), inside)
    return of_version(judged(answers, way), table, version)


def of_version(result: GateResult, table: RouteTable, version: str) -> GateResult:
    """Return a result that says whose routes were tried, where those of the version that runs are not kept."""
    if table.version == version:
        return result
    words = f"the routes are those of Synapse {table.version}, the nearest to {version} that is kept"
    return replace(result, why=f"{result.why}; {words}")


def public_trials(table: RouteTable, routed: Routing, settings: Settings) -> Iterator[RouteTrial]:
    """Yield a request for each form of each row and one neighbour of it; what is not public must be refused."""
    for route, path in every_sample(table.routes):
        yield _trial(route.method, path, routed, settings)
    for path in _below_trees(table):
        yield _trial("GET", path, routed, settings)
    for route in table.routes:
        yield from _neighbours(route, routed, settings)
    # A client that knows nothing yet, and one that goes on.
    for path in (
        "/_matrix/client/v3/sync",
        "/_matrix/client/v3/sync?since=s1_1",
        "/_matrix/client/v3/sync?full_state=true",
    ):
        bare, _, query = path.partition("?")
        yield RouteTrial(method="GET", path=path, pool=routed.pool_of("GET", bare, query))


def inside_trials(table: RouteTable, routed: Routing, settings: Settings) -> Iterator[RouteTrial]:
    """Yield what the border refuses, rows and neighbours: the inside must lead each to its pool."""
    for trial in public_trials(table, routed, settings):
        if not trial.pool:
            yield replace(trial, pool=routed.pool_of(trial.method, trial.path))


def public(path: str, settings: Settings) -> bool:
    """Return whether the public frontend hands a path on."""
    if path.startswith(_PUBLIC):
        return True
    if settings.federation:
        return path.startswith(_FEDERATION)
    return settings.features.element_call and path == _OPENID


def ask(origin: Origin, trials: Sequence[RouteTrial]) -> tuple[RouteAnswer, ...]:
    """Ask all of them, a few at once, each over a kept connection."""
    parts = [trials[number::_AT_ONCE] for number in range(_AT_ONCE)]
    with ThreadPoolExecutor(_AT_ONCE, "routes") as pool:
        return tuple(answer for part in pool.map(lambda part: _asked(origin, part), parts) for answer in part)


def judged(answers: Iterable[RouteAnswer], way: Way) -> GateResult:
    """Return what the answers come to; a pool that nobody names is no proof."""
    answers = tuple(answers)
    if not answers:
        return GateResult(status=Status.UNPROVEN, why="no route was tried", next_step=_NEXT)
    findings = [wrong for answer in answers if (wrong := _wrong(answer))]
    pools = sorted({answer.pool.partition("/")[0] for answer in answers if answer.pool})
    rows = sum(not answer.trial.neighbour for answer in answers)
    figures = {"routes": float(rows), "neighbours": float(len(answers) - rows), "pools": float(len(pools))}
    beside = len(answers) - rows
    proven = f"{rows} routes reach their pools over {way.name}, {beside} neighbours do not: {', '.join(pools)}"
    return concluded(findings, proven, figures=figures, next_step=_NEXT)


def _wrong(answer: RouteAnswer) -> str:
    trial = answer.trial
    if answer.failure:
        return f"{trial}: no answer: {answer.failure}"
    if not trial.pool:
        if answer.pool or answer.status != 403:
            return f"{trial}: is not refused at the public name (HTTP {answer.status} {answer.pool})".rstrip()
        return ""
    if not answer.pool:
        return f"{trial}: the proxy does not say which pool answered (HTTP {answer.status})"
    pool, _, server = answer.pool.partition("/")
    if pool != trial.pool:
        return f"{trial}: reaches {pool}, and {trial.pool} must answer it"
    if not server or server == "<NOSRV>":
        return f"{trial}: no process of {pool} answers (HTTP {answer.status})"
    return ""


def _asked(origin: Origin, trials: Sequence[RouteTrial]) -> list[RouteAnswer]:
    answers = []
    # No token, or one that nobody was given: it is refused before anything is done.
    headers = {"Authorization": "Bearer matrix-fleet-gate", "Content-Type": "application/json"}
    with Connection(origin) as connection:
        for trial in trials:
            body = b"{}" if trial.method in ("POST", "PUT") else b""
            try:
                answer = connection.ask(trial.method, trial.path, body, headers, _SECONDS)
                answers.append(RouteAnswer(trial=trial, pool=answer.pool, status=answer.status))
            except Unanswered as error:
                answers.append(RouteAnswer(trial=trial, failure=str(error)))
    return answers


def _trial(method: str, path: str, routed: Routing, settings: Settings, *, neighbour: bool = False) -> RouteTrial:
    pool = routed.pool_of(method, path) if public(path, settings) else ""
    return RouteTrial(method=method, path=path, pool=pool, neighbour=neighbour)


def _neighbours(route: SynapseRoute, routed: Routing, settings: Settings) -> Iterator[RouteTrial]:
    """Yield one neighbour that is somebody else's, where the route has a pool of its own."""
    own = routed.pool_of(route.method, samples(route)[0])
    for path in reversed(neighbours(route)):
        if routed.pool_of(route.method, path) != own:
            yield _trial(route.method, path, routed, settings, neighbour=True)
            return


def _below_trees(table: RouteTable) -> Iterator[str]:
    """Yield a path below each prefix that a resource of its own answers."""
    for tree in sorted(table.trees):
        yield f"{tree}/sample"


def _way(context: GateContext) -> Way:
    ways = [way for way in (*outside_ways(context), *own_ways(context)) if not reached(way)]
    return ways[0] if ways else inside_way(context)
