"""Verification from the first observation to the last verdict; `flows.verify_ports` is its command."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from flows._ports.choice import ChosenPairs, DealtPairs, ProbeOptions, choose
from flows._ports.cluster import ClusterView, as_collected, ask, look
from flows._ports.endpoint import once_settled
from flows._ports.ends import ends
from flows._ports.moving import ProbedFleet, followed
from flows._ports.observation import ObservedHosts, observe, pace, slowed, unconfirmed_by_now
from flows._ports.probe_run import ProbeRun, run_probes
from flows._ports.results import VerifiedRun, results_of, roles_of
from flows._ports.rounds import ROUNDS
from flows._run.lifecycle import Context, FlowResult
from model.report.outcome import Outcome
from model.report.words import Plane
from model.site.site import Site
from model.verify.facts import FleetFacts
from model.verify.host_rulings import HostRulings
from model.verify.services import Services
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
    chosen = choose(site, options, context.hosts if context.options.limit else None)
    context.say(f"observing {len(chosen.observed)} hosts")
    device = None if scheduled else _device(site, options)
    observed = once_settled(nr, site, observe(nr, chosen.observed, device, site.settings.perimeter.platform))
    cluster = _cluster_view(nr, site, options, observed, scheduled)
    rulings = HostRulings(site, observed.views)
    dealt = chosen.deal(cluster, rulings)
    rate, seconds = pace(dealt.pairs, options.rate, observed.views)
    slow = slowed(dealt.pairs, options.rate, observed.views)
    context.say(_announcement(dealt, rate, seconds, options.depth, slow))

    def probe(dealt: DealtPairs, observed: ObservedHosts, cluster: ClusterView) -> ProbeRun:
        with context.progress(dealt.probes, "probing") as advance:
            return run_probes(
                nr,
                site,
                dealt.fired,
                requests_for(site, observed.views),
                owed=Services(site, observed.views, options.stage).owed,
                say=context.say,
                ends=ends(site, observed.views, cluster.every_pod if Plane.POD in options.planes else ()),
                rate=rate,
                seconds=seconds,
                tell=_steps(advance, dealt.probes),
            )

    started = time.monotonic()
    probe_run = probe(dealt, observed, cluster)
    fleet = ProbedFleet(observed=observed, cluster=cluster, rulings=rulings, dealt=dealt, probe_run=probe_run)
    fleet = followed(nr, chosen, fleet, probe, context.say)
    probe_run = fleet.probe_run
    lost = [name for name, agents in probe_run.agents.items() if agents.problems]
    observed = unconfirmed_by_now(nr, fleet.observed, lost)
    probing_seconds = round(time.monotonic() - started, 2)
    results = results_of(
        VerifiedRun(
            chosen=chosen,
            device=device,
            observed=observed,
            cluster=fleet.cluster,
            probe_run=probe_run,
            verification=_verification(chosen, fleet),
        )
    )
    return FlowResult(
        hosts=(*chosen.hosts, *((device,) if device else ())),
        outcomes=(*results.outcomes, *slow),
        cells=results.cells,
        probes=dealt.probes,
        loss=probe_run.lost,
        extra={
            "roles": roles_of(site, [pod.end for pod in fleet.cluster.every_pod]),
            "depth": options.depth,
            "stage": options.stage,
            "expected_seconds": round(seconds + 3, 1),
            "probing_seconds": probing_seconds,
            "packets_fired": probe_run.fired,
            "rounds": probe_run.rounds,
            "losses": [
                {
                    "from": path.source,
                    "to": path.destination,
                    "plane": path.plane,
                    "family": f"ipv{path.version}",
                    "sent": loss.sent,
                    "lost": loss.lost,
                }
                for path, loss in probe_run.losses.items()
            ],
            **results.perimeter,
        },
    )


def _verification(chosen: ChosenPairs, fleet: ProbedFleet) -> Verification:
    evidence, records = fleet.probe_run.evidence, fleet.probe_run.records
    return Verification(
        facts=FleetFacts(
            site=chosen.site,
            evidence=evidence,
            sources=frozenset(records.sent),
            witnesses=frozenset(records.seen),
            views=fleet.rulings.views,
            prepared=fleet.rulings,
            stage=chosen.options.stage,
            exposed=fleet.cluster.exposed,
        ),
        pairs=tuple(evidence.settled(pair) for pair in fleet.dealt.pairs),
        coverage=chosen.options.only,
    )


def _cluster_view(
    nr: Nornir, site: Site, options: ProbeOptions, observed: ObservedHosts, scheduled: bool
) -> ClusterView:
    if not {Plane.HOST, Plane.POD} & set(options.planes):
        return ClusterView()
    return look(
        site, observed.views, (lambda: as_collected(observed.cluster)) if scheduled else (lambda: ask(nr, site))
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


def _announcement(dealt: DealtPairs, rate: int, seconds: float, depth: str, slow: Sequence[Outcome]) -> str:
    families = " and IPv".join(str(version) for version in sorted({pair.address.version for pair in dealt.pairs}))
    return (
        f"{dealt.probes:,} probes over {len(dealt.pairs)} pairs of addresses (depth {depth}, IPv{families}), "
        f"at most {rate:,} packets/s a host: about {seconds + 3:.0f} s{_why_slow(slow)}"
    )


def _why_slow(slow: Sequence[Outcome]) -> str:
    if not slow:
        return ""
    hosts = ", ".join(outcome.host for outcome in slow)
    again = f"as long again for each of up to {ROUNDS - 1} times that what is missing is sent again"
    return f", and {again} ({hosts}: {slow[0].message})"


def _device(site: Site, options: ProbeOptions) -> str | None:
    """Return the perimeter device whose rules stand beside the packets of the external plane."""
    perimeter = site.settings.perimeter
    return perimeter.device if Plane.EXTERNAL in options.planes and perimeter.platform != "none" else None
