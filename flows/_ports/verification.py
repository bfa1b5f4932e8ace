"""Verification from the first observation to the last verdict; `flows.verify_ports` is its command."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flows._ports import probe_run as windows
from flows._ports.choice import PLANES, Wishes, choice, ends, in_order, vouched
from flows._ports.cluster import Seen, ask, look, told
from flows._ports.ends import ends as agent_ends
from flows._ports.observation import observe, pace
from flows._ports.probe_run import Window
from flows._ports.results import beside_perimeter, cells_of, outcomes_of, roles_of
from flows._run.lifecycle import Context, Ingredients
from model.errors import SelectionError
from model.report.waivers import waive_cells
from model.site.site import Site
from model.verify import pairs as pairing
from model.verify.pairs import PROTOCOLS, Pair
from model.verify.verification import Trial
from model.verify.views import requests_for

if TYPE_CHECKING:
    from nornir.core import Nornir


def verify(nr: Nornir, context: Context, wishes: Wishes, *, scheduled: bool = False) -> Ingredients:
    """
    Prove the port matrix with packets. `scheduled`: by what lies on the hosts alone, which neither reads the perimeter's device nor logs in
    to the API.

    Raises `SelectionError` when nobody, or nothing to probe, is selected.
    """
    site = context.site
    picked = choice(site, wishes, context.hosts if context.options.limit else None)
    chosen = picked.pairs()
    names = picked.names(chosen)
    controls = pairing.controls(pairing.pairs(site, PLANES), chosen)
    everybody = in_order(site, {*names, *ends(site, controls)})
    context.say(f"observing {len(everybody)} hosts")
    device = None if scheduled else _device(site, wishes)
    observed = observe(nr, everybody, device, site.settings.perimeter.platform)
    api = (lambda: told(observed.cluster)) if scheduled else (lambda: ask(nr, site))
    cluster = look(site, observed.views, api) if {"host", "pod"} & set(wishes.planes) else Seen()
    dealt = picked.dealt(chosen, cluster, observed.listening())
    probes = pairing.count(dealt)
    if not probes and {"host", "external"} & set(wishes.planes):
        raise SelectionError("no port is left to probe; widen --ports, --plane or the selection")
    rate, seconds = pace(dealt, wishes.rate, observed.views)
    context.say(_announcement(dealt, probes, rate, seconds, wishes.depth))
    started = time.monotonic()
    with context.progress(probes, "probing") as advance:
        window = windows.observe(
            nr,
            site,
            (*vouched(site, dealt, cluster, wishes.only), *controls),
            requests_for(site, observed.views),
            ends=agent_ends(site, observed.views, cluster.pods if "pod" in wishes.planes else ()),
            rate=rate,
            seconds=seconds,
            tell=_steps(advance, probes),
        )
    trial = Trial(
        site,
        tuple(_judged(pair, window) for pair in dealt),
        window.joined,
        frozenset(window.accounts.sent),
        frozenset(window.accounts.seen),
        observed.views,
        wishes.stage,
        wishes.only,
        cluster.exposed,
    )
    today = datetime.now(UTC).date()
    cells = waive_cells(
        cells_of(trial, window, wishes.planes, names, [pair.destination for pair in chosen], cluster.absent),
        site.settings.waivers,
        today,
    )
    lines, beside = beside_perimeter(site, device, observed.rules, cells)
    return Ingredients(
        hosts=(*names, *((device,) if device else ())),
        outcomes=(
            *outcomes_of(trial, cells, observed, window, names, wishes.planes, cluster.absent),
            *cluster.outcomes,
            *beside,
        ),
        cells=cells,
        probes=probes,
        loss=window.lost,
        extra={
            "roles": roles_of(site, [pod.end for pod in cluster.pods]),
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


def _judged(pair: Pair, window: Window) -> Pair:
    packets = {protocol: window.joined.packets[pair.source, str(pair.address), protocol] for protocol in PROTOCOLS}
    return pair.judged(packets)


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
