"""The way through the phases: what stops it, what a person sees, and what is kept of a run that is cut short."""

from __future__ import annotations

from collections.abc import Sequence

from flows._cluster.cluster_run import ClusterRun, Phase
from flows._cluster.preflight import gate
from flows._fleet.hosts import closing
from flows._fleet.inventory import inventory
from flows._run.context import Context, FlowResult
from flows._run.journal import Journal
from flows._run.phases import PhaseClock
from flows._run.selection import roles, servers, who
from model.bundle.bundle import Bundle, load_bundle, verify
from model.errors import SiteError
from model.report.outcome import EXIT_BY_STATUS, GOOD, Outcome, Status
from model.report.waivers import waive_outcomes


def bootstrap(context: Context, phases: Sequence[Phase], *, purge: bool) -> FlowResult:
    """
    Run phases in order over the selected servers; control planes that are not selected let them in and stay as they
    are.

    Raises `SiteError` for a bundle that is missing or not whole, `LockHeld`, `PlanRefused`.
    """
    names = servers(context)
    nr = inventory(context.options.inventory)
    journal = Journal(context.options.inventory, "bootstrap", dry_run=context.options.dry_run)
    helper_hosts = tuple(machine.name for machine in context.site.control_planes if machine.name not in names)
    cluster_run = ClusterRun(nr, context, journal, names, purge=purge, helper_hosts=helper_hosts)
    _take_bundle(cluster_run, whole=any(phase.stages for phase in phases))
    for phase in phases:
        if phase.foresee is not None:
            phase.foresee(cluster_run)
    # Raises where versions cannot work together, before anybody is connected to.
    gate(context.site, cluster_run.bundle, context.started.date())
    with closing(nr):
        try:
            seconds = _run(cluster_run, phases)
        finally:
            cluster_run.release()
    heard = (
        names
        if any(phase.everywhere for phase in phases)
        else tuple(name for name in names if name in cluster_run.lost)
    )
    proof = {"proof": cluster_run.proof} if cluster_run.proof else {}
    return FlowResult((), heard, extra={**roles(context.site), "phases": seconds, **proof})


def _take_bundle(cluster_run: ClusterRun, *, whole: bool) -> None:
    """Find the site's bundle; where files of it may be staged, read all of them first."""
    kubernetes = cluster_run.site.settings.kubernetes
    if kubernetes.packages != "bundle":
        return
    if kubernetes.bundle is None:
        raise SiteError(
            "site.yaml: kubernetes.packages is `bundle` and kubernetes.bundle names none; "
            "make one with `python -m flows.bundle download`"
        )
    cluster_run.folder = cluster_run.context.options.inventory / kubernetes.bundle
    bundle = _fitting(load_bundle(cluster_run.folder), kubernetes.version)
    if whole:
        with cluster_run.context.progress(len(bundle.items), "verifying the bundle") as advance:
            verify(cluster_run.folder, bundle, lambda _item: advance(1))
    cluster_run.bundle = bundle


def _fitting(bundle: Bundle, version: str) -> Bundle:
    if bundle.kubernetes != version and bundle.minor != version:
        raise SiteError(
            f"site.yaml: kubernetes.version is {version}, and the bundle carries {bundle.kubernetes}; "
            f"name the bundle of {version}, or the version of the bundle"
        )
    return bundle


def _run(cluster_run: ClusterRun, phases: Sequence[Phase]) -> list[dict[str, object]]:
    context = cluster_run.context
    interrupted = cluster_run.journal.cut_short()
    if interrupted:
        context.say(f"the last run was cut short in the phase {interrupted}: going on from what the hosts hold")
    context.say(f"looking at {len(cluster_run.names)} hosts")
    context.keep(*cluster_run.look())
    if not context.options.dry_run:
        cluster_run.lock(who())
    seconds: list[dict[str, object]] = []
    clock = PhaseClock(context, len(phases))
    for phase in phases:
        cluster_run.journal.write(phase.name, "begun")
        clock.begin(phase.name, phase.title)
        outcomes = phase.run(cluster_run)
        context.keep(*outcomes)
        changed = [outcome.host for outcome in outcomes if outcome.status is Status.CHANGED]
        cluster_run.journal.write(phase.name, "ended", changed)
        cluster_run.journal.write(phase.name, "ended")
        seconds.append({"phase": phase.name, "seconds": clock.end(outcomes)})
        if _stops(cluster_run, phase, outcomes):
            context.say(f"stopped after {phase.name}: what it found comes first")
            break
    return seconds


def _stops(cluster_run: ClusterRun, phase: Phase, outcomes: Sequence[Outcome]) -> bool:
    """Return whether nothing may follow: a gate that found something nobody answers for, or nobody left to work on."""
    if not cluster_run.hosts:
        return True
    today = cluster_run.context.started.date()
    left = waive_outcomes(outcomes, cluster_run.site.settings.waivers, today)
    failed = [outcome for outcome in left if EXIT_BY_STATUS[outcome.status] != GOOD]
    if phase.gate:
        return any(outcome.status is Status.DRIFT for outcome in failed)
    return phase.vital and bool(failed) and not cluster_run.dry_run
