"""Verification from the first observation to the last verdict; `flows.verify_ports` is its command."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flows._ports.choice import PLANES, ProbeOptions, choice, ends, in_order, vouched
from flows._ports.cluster import ClusterView, ask, look, told
from flows._ports.ends import ends as agent_ends
from flows._ports.observation import observe, pace
from flows._ports.probe_run import ProbeRun, run_probes
from flows._ports.results import beside_perimeter, cells_of, outcomes_of, roles_of
from flows._run.lifecycle import Context, FlowResult
from model.errors import SelectionError
from model.report.waivers import waive_cells
from model.site.site import Site
from model.verify import pairs as pairing
from model.verify.pairs import PROTOCOLS, Pair
from model.verify.verification import Verification
from model.verify.views import requests_for

if TYPE_CHECKING:
    from nornir.core import Nornir


def verify(nr: Nornir, context: Context, options: ProbeOptions, *, scheduled: bool = False) -> FlowResult:
    """
    Prove the port matrix with packets. `scheduled`: by what lies on the hosts alone, which neither reads the
    perimeter's device nor logs in to the API.

    Raises `SelectionError` when nobody, or nothing to probe, is selected.
    """
    site = context.site
    picked = choice(site, options, context.hosts if context.options.limit else None)
    chosen = picked.pairs()
    names = picked.names(chosen)
    controls = pairing.controls(pairing.pairs(site, PLANES), chosen)
    everybody = in_order(site, {*names, *ends(site, controls)})
    context.say(f"observing {len(everybody)} hosts")
    device = None if scheduled else _device(site, options)
    observed = observe(nr, everybody, device, site.settings.perimeter.platform)
    api = (lambda: told(observed.cluster)) if scheduled else (lambda: ask(nr, site))
    cluster = look(site, observed.views, api) if {"host", "pod"} & set(options.planes) else ClusterView()
    dealt = picked.dealt(chosen, cluster, observed.listening())
    probes = pairing.count(dealt)
    if not probes and {"host", "external"} & set(options.planes):
        raise SelectionError("no port is left to probe; widen --ports, --plane or the selection")
    rate, seconds = pace(dealt, options.rate, observed.views)
    context.say(_announcement(dealt, probes, rate, seconds, options.depth))
    started = time.monotonic()
    with context.progress(probes, "probing") as advance:
        probe_run = run_probes(
            nr,
            site,
            (*vouched(site, dealt, cluster, options.only), *controls),
            requests_for(site, observed.views),
            ends=agent_ends(site, observed.views, cluster.pods if "pod" in options.planes else ()),
            rate=rate,
            seconds=seconds,
            tell=_steps(advance, probes),
        )
    verification = Verification(
        site=site,
        pairs=tuple(_judged(pair, probe_run) for pair in dealt),
        joined=probe_run.joined,
        sources=frozenset(probe_run.accounts.sent),
        witnesses=frozenset(probe_run.accounts.seen),
        views=observed.views,
        stage=options.stage,
        coverage=options.only,
        exposed=cluster.exposed,
    )
    today = datetime.now(UTC).date()
    cells = waive_cells(
        cells_of(verification, probe_run, options.planes, names, [pair.destination for pair in chosen], cluster.absent),
        site.settings.waivers,
        today,
    )
    lines, beside = beside_perimeter(site, device, observed.rules, cells)
    return FlowResult(
        hosts=(*names, *((device,) if device else ())),
        outcomes=(
            *outcomes_of(verification, cells, observed, probe_run, names, options.planes, cluster.absent),
            *cluster.outcomes,
            *beside,
        ),
        cells=cells,
        probes=probes,
        loss=probe_run.lost,
        extra={
            "roles": roles_of(site, [pod.end for pod in cluster.pods]),
            "depth": options.depth,
            "stage": options.stage,
            "expected_seconds": round(seconds + 3, 1),
            "probing_seconds": round(time.monotonic() - started, 2),
            "packets_fired": probe_run.fired,
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


def _judged(pair: Pair, probe_run: ProbeRun) -> Pair:
    packets = {protocol: probe_run.joined.packets[pair.source, str(pair.address), protocol] for protocol in PROTOCOLS}
    return pair.judged(packets)


def _announcement(dealt: Sequence[Pair], probes: int, rate: int, seconds: float, depth: str) -> str:
    families = {pair.address.version for pair in dealt}
    return (
        f"{probes:,} probes over {len(dealt)} pairs of addresses (depth {depth}, IPv{' and IPv'.join(map(str, sorted(families)))}), "
        f"at most {rate:,} packets/s a host: about {seconds + 3:.0f} s"
    )


def _device(site: Site, options: ProbeOptions) -> str | None:
    """Return the perimeter device whose rules stand beside the packets of the external plane."""
    perimeter = site.settings.perimeter
    return perimeter.device if "external" in options.planes and perimeter.platform != "none" else None
