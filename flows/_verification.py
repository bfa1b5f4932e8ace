"""Verification from the first observation to the last verdict; `flows.verify_ports` is its command."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flows import _window
from flows._account import beside_perimeter, cells_of, outcomes_of, roles_of
from flows._main import Context, Ingredients
from flows._observation import observe, pace
from flows._views import requests_for
from model import pairs as pairing
from model.errors import SelectionError
from model.judgement import Trial
from model.pairs import Depth, Pair
from model.select import select
from model.site import Site
from model.waivers import waive_cells

if TYPE_CHECKING:
    from nornir.core import Nornir

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
    controls = pairing.controls(pairing.pairs(site, PLANES), chosen)
    names = _ends(site, chosen)
    everybody = _ends(site, (*chosen, *controls))
    context.say(f"observing {len(everybody)} hosts")
    device = _device(site, wishes)
    observed = observe(nr, everybody, device, site.settings.perimeter.platform)
    dealt = pairing.with_ports(site, chosen, wishes.depth, observed.listening(), wishes.only)
    probes = pairing.count(dealt)
    if not probes and {"host", "external"} & set(wishes.planes):
        raise SelectionError("no port is left to probe; widen --ports, --plane or the selection")
    if wishes.only is not None:
        # Cells speak of the chosen ports alone, yet what a border stops needs a port that it does not stop.
        dealt = tuple(pairing.vouching(pair) if pair.border else pair for pair in dealt)
    rate, seconds = pace(dealt, wishes.rate, observed.facts)
    context.say(_announcement(dealt, probes, rate, seconds, wishes.depth))
    started = time.monotonic()
    with context.progress(probes, "probing") as advance:
        window = _window.observe(
            nr,
            site,
            (*dealt, *controls),
            requests_for(site, observed.views),
            hosts=observed.able,
            sshd_ports={name: view.sshd_port for name, view in observed.views.items()},
            rate=rate,
            seconds=seconds,
            tell=_steps(advance, probes),
        )
    trial = Trial(
        site,
        dealt,
        window.joined,
        frozenset(window.accounts.sent),
        frozenset(window.accounts.seen),
        observed.views,
        wishes.stage,
        wishes.only,
    )
    today = datetime.now(UTC).date()
    cells = waive_cells(
        cells_of(trial, window, wishes.planes, names, [pair.destination for pair in chosen]),
        site.settings.waivers,
        today,
    )
    lines, beside = beside_perimeter(site, device, observed.rules, cells)
    return Ingredients(
        hosts=(*names, *((device,) if device else ())),
        outcomes=(*outcomes_of(trial, cells, observed, window, names, wishes.planes), *beside),
        cells=cells,
        probes=probes,
        loss=window.lost,
        extra={
            "roles": roles_of(site),
            "depth": wishes.depth,
            "stage": wishes.stage,
            "expected_seconds": round(seconds + 3, 1),
            "probing_seconds": round(time.monotonic() - started, 2),
            "packets_fired": window.fired,
            **lines,
        },
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


def _announcement(dealt: Sequence[Pair], probes: int, rate: int, seconds: float, depth: str) -> str:
    families = {pair.address.version for pair in dealt}
    return (
        f"{probes:,} probes over {len(dealt)} pairs of addresses (depth {depth}, IPv{' and IPv'.join(map(str, sorted(families)))}), "
        f"at most {rate:,} packets/s a host: about {seconds + 3:.0f} s"
    )


def _device(site: Site, wishes: Wishes) -> str | None:
    """Return the perimeter device whose rules stand beside the packets of the external plane."""
    perimeter = site.settings.perimeter
    return perimeter.device if "external" in wishes.planes and perimeter.platform != "none" else None
