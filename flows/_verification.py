"""Verification from the first observation to the last verdict; `flows.verify_ports` is its command."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flows import _window
from flows._hosts import HostFailure, each
from flows._main import Context, Ingredients
from flows._views import requests_for, room, view_of
from model import pairs as pairing
from model.errors import SelectionError
from model.hostview import HostView
from model.judgement import Greeting, Trial, controller_cells, host_outcomes, pod_cells, pod_ends
from model.outcome import Outcome, Status
from model.pairs import Depth, Pair
from model.perimeter import parse
from model.perimeter_rows import perimeter_outcomes, perimeter_rows
from model.report import Cell
from model.select import select
from model.site import Site
from model.waivers import waive_cells
from remote import perimeter as perimeter_device
from remote.facts import firewall
from remote.facts.firewall import FirewallFacts

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.inventory import Host

OBSERVE_SECONDS = 25.0
PLANES = ("host", "pod", "external")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asked for; `only` holds ports by protocol, None for the depth's own choice."""

    depth: Depth = "boundaries"
    stage: str = "auto"
    planes: tuple[str, ...] = PLANES
    rate: int = 20_000
    source: str | None = None
    destination: str | None = None
    only: Mapping[str, int] | None = None


def verify(nr: Nornir, context: Context, wishes: Wishes) -> Ingredients:
    """
    Prove the port matrix with packets.

    Raises `SelectionError` when nobody, or nothing to probe, is selected.
    """
    site = context.site
    chosen = _chosen(site, wishes, context.hosts if context.options.limit else None)
    names = _ends(site, chosen)
    context.say(f"observing {len(names)} hosts")
    device = _device(site, wishes)
    facts, rules, failures = _observe(nr, names, device, site.settings.perimeter.platform)
    able = [name for name, fact in facts.items() if fact.python3]
    # Where no agent can run nothing is proven, and its rules are no finding of their own.
    views = {name: view_of(name, facts[name]) for name in able}
    dealt = pairing.with_ports(site, chosen, wishes.depth, _listening(views), wishes.only)
    probes = pairing.count(dealt)
    if not probes and {"host", "external"} & set(wishes.planes):
        raise SelectionError("no port is left to probe; widen --ports, --plane or the selection")
    rate, seconds = _pace(dealt, wishes.rate, facts)
    context.say(_announcement(dealt, probes, rate, seconds, wishes.depth))
    started = time.monotonic()
    with context.progress(probes, "probing") as advance:
        window = _window.observe(
            nr,
            site,
            dealt,
            requests_for(site, views),
            hosts=able,
            sshd_ports={name: view.sshd_port for name, view in views.items()},
            rate=rate,
            tell=_steps(advance, probes),
        )
    trial = Trial(
        site,
        dealt,
        window.joined,
        frozenset(window.accounts.sent),
        frozenset(window.accounts.seen),
        views,
        wishes.stage,
        wishes.only,
    )
    cells = _all_cells(trial, window, wishes, names)
    lines, beside = _perimeter(site, device, rules, cells)
    today = datetime.now(UTC).date()
    return Ingredients(
        hosts=(*names, *((device,) if device else ())),
        outcomes=(*_outcomes(trial, cells, facts, failures, window, names), *beside),
        cells=waive_cells(cells, site.settings.waivers, today),
        probes=probes,
        loss=window.lost,
        extra=_extra(site, probes, seconds, time.monotonic() - started, window.fired, wishes) | lines,
    )


def _steps(advance: Callable[[int], None], total: int) -> Callable[[int], None]:
    """Turn totals into the steps that a progress bar is told; resent packets don't move it beyond its end."""
    shown = 0

    def tell(done: int) -> None:
        nonlocal shown
        done = min(done, total)
        if done > shown:
            advance(done - shown)
            shown = done

    return tell


def _chosen(site: Site, wishes: Wishes, limited: Iterable[str] | None) -> tuple[Pair, ...]:
    limit = None if limited is None else set(limited)
    sources = set(select(site, wishes.source)) if wishes.source else None
    destinations = set(select(site, wishes.destination)) if wishes.destination else None
    chosen = tuple(
        pair
        for pair in pairing.pairs(site, wishes.planes)
        if (limit is None or limit & {pair.source, pair.destination})
        and (sources is None or pair.source in sources)
        and (destinations is None or pair.destination in destinations)
    )
    if not chosen and {"host", "external"} & set(wishes.planes):
        raise SelectionError(
            "no pair of hosts has both ends selected; check --limit, --source, --destination and --plane"
        )
    return chosen


def _ends(site: Site, chosen: Iterable[Pair]) -> list[str]:
    """Return who takes part, external addresses with every host behind them, in the inventory's order."""
    ends: set[str] = set()
    for pair in chosen:
        external = site.settings.external.get(pair.external)
        ends |= {pair.source, pair.destination, *(external.targets if external else ())}
    return [machine.name for machine in site.machines if machine.name in ends]


def _device(site: Site, wishes: Wishes) -> str | None:
    """Return the perimeter device whose rules stand beside the packets of the external plane."""
    perimeter = site.settings.perimeter
    return perimeter.device if "external" in wishes.planes and perimeter.platform != "none" else None


def _observe(
    nr: Nornir, names: Sequence[str], device: str | None, platform: str
) -> tuple[dict[str, FirewallFacts], str | None, dict[str, HostFailure]]:
    """Read every host's facts and the device's rules at once."""

    def look(host: Host) -> FirewallFacts | str:
        return perimeter_device.read(host, platform) if host.name == device else firewall.observe(host)

    everybody = (*names, *((device,) if device else ()))
    found = each(nr, look, names=everybody, workers=128, deadline=OBSERVE_SECONDS)
    facts = {name: answer for name, answer in found.items() if isinstance(answer, FirewallFacts)}
    rules = next((answer for answer in found.values() if isinstance(answer, str)), None)
    return facts, rules, {name: answer for name, answer in found.items() if isinstance(answer, HostFailure)}


def _listening(views: Mapping[str, HostView]) -> dict[str, dict[str, int]]:
    return {
        name: {protocol: view.open_ports(protocol) for protocol in pairing.PROTOCOLS} for name, view in views.items()
    }


def _pace(dealt: Sequence[Pair], rate: int, facts: Mapping[str, FirewallFacts]) -> tuple[int, float]:
    """Return the packets a second that leave every host's connection tracking half empty, and the seconds one round takes."""
    load: dict[str, int] = {}
    for pair in dealt:
        number = sum(ports.bit_count() for ports in pair.probed.values())
        load[pair.source] = load.get(pair.source, 0) + number
    rate = min([rate, *(room(fact, load.get(name, 0), rate) for name, fact in facts.items())])
    return rate, max(load.values(), default=0) / rate


def _announcement(dealt: Sequence[Pair], probes: int, rate: int, seconds: float, depth: str) -> str:
    families = {pair.address.version for pair in dealt}
    return (
        f"{probes:,} probes over {len(dealt)} pairs of addresses (depth {depth}, IPv{' and IPv'.join(map(str, sorted(families)))}), "
        f"at most {rate:,} packets/s a host: about {seconds + 3:.0f} s"
    )


def _all_cells(trial: Trial, window: _window.Window, wishes: Wishes, names: Sequence[str]) -> tuple[Cell, ...]:
    cells = list(trial.cells)
    if "host" in wishes.planes and wishes.only is None:
        cells += controller_cells(trial.site, _greetings(window, trial.views), trial.views, names)
    if "pod" in wishes.planes:
        cells += pod_cells(trial.site)
    return tuple(cells)


def _greetings(window: _window.Window, views: Mapping[str, HostView]) -> dict[str, Greeting]:
    """Lay beside each answer of an sshd what that host's witness saw of connections to its port."""
    found = {}
    for name, answered in window.greeted.items():
        account = window.accounts.seen.get(name)
        if account is None:
            found[name] = Greeting(answered)
            continue
        port = views[name].sshd_port if name in views else 22
        connects = [connect for connect in account.connects if connect.port == port]
        arrived, passed = sum(each.arrived for each in connects), sum(each.passed for each in connects)
        found[name] = Greeting(answered, arrived, passed)
    return found


def _outcomes(
    trial: Trial,
    cells: Sequence[Cell],
    facts: Mapping[str, FirewallFacts],
    failures: Mapping[str, HostFailure],
    window: _window.Window,
    names: Sequence[str],
) -> list[Outcome]:
    outcomes = [failure.outcome() for failure in failures.values()]
    outcomes += [
        Outcome(
            name,
            "python3",
            Status.FAILED,
            "python3 missing: the probe agent cannot run",
            "run `python -m flows.firewall` first",
        )
        for name, fact in facts.items()
        if not fact.python3
    ]
    problems = {name: agents.problems for name, agents in window.agents.items()}
    reached = [name for name in names if name in facts and facts[name].python3]
    outcomes += host_outcomes(reached, cells, problems)
    outcomes += trial.disagreements
    outcomes += [
        Outcome(
            name,
            "overrun",
            Status.UNPROVEN,
            f"its witness had no room for {seen.overrun} packets",
            "run again with a lower --rate",
        )
        for name, seen in window.accounts.seen.items()
        if seen.overrun
    ]
    return outcomes


def _perimeter(
    site: Site, device: str | None, rules: str | None, cells: Sequence[Cell]
) -> tuple[dict[str, object], tuple[Outcome, ...]]:
    """Lay what is declared, what the device's rules say and what packets showed side by side."""
    if device is None:
        return {}, ()
    try:
        perimeter = parse(rules) if rules is not None else None
    except ValueError as error:
        outcome = Outcome(
            device, "perimeter", Status.FAILED, f"its rules cannot be read: {error}", "look at the device"
        )
        return {"perimeter": perimeter_rows(site, None, cells)}, (outcome,)
    lines = perimeter_rows(site, perimeter, cells)
    return {"perimeter": lines}, perimeter_outcomes(site, perimeter, lines) if perimeter else ()


def _extra(site: Site, probes: int, expected: float, took: float, fired: int, wishes: Wishes) -> dict[str, object]:
    return {
        "roles": _roles(site),
        "depth": wishes.depth,
        "stage": wishes.stage,
        "expected_seconds": round(expected + 3, 1),
        "probing_seconds": round(took, 2),
        "packets_fired": fired,
        "probes_planned": probes,
    }


def _roles(site: Site) -> dict[str, list[str]]:
    """Roles by host, and by every end of a cell that is none."""
    ends = {end: ["pods"] for row in site.active_rows if row.plane == "pod" for end in pod_ends(row)}
    return ends | {"controller": ["controller"]} | {machine.name: list(machine.roles) for machine in site.machines}
