"""Compliance on schedule: installed, compared with what it should be, and removed again."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from flows._cluster.cluster_run import ClusterRun, at_work
from flows._cluster.outcomes import state_outcome
from flows._compliance.look import hosts_of
from flows._run.context import Context, FlowResult
from flows._run.selection import roles
from flows._schedule.access import grant, grants
from flows._schedule.identity import setting_of
from flows._schedule.machine import PLACEHOLDER, obstacles, on_systemd, timer_told
from flows._schedule.proof import prove
from model.errors import PlanRefused
from model.report.outcome import Outcome, Status
from tasks import schedule_units, scheduled, this_machine
from tasks.hoststate import enforce
from tasks.schedule_units import Setting, public_key

MACHINE = this_machine.NAME
IDENTITY = "schedule/identity"
UNITS = "schedule/units"
SITE = "schedule/site"
_HOST_SECONDS = 300.0


def install(context: Context) -> FlowResult:
    """Make the account and its key here, let it in on every host, prove it there, and only then let the timer wait."""
    setting, dry_run = _setting(context), context.options.dry_run
    _refuse(obstacles(context.site, setting))
    context.keep(
        state_outcome(
            MACHINE, IDENTITY, this_machine.enforce(schedule_units.account(setting), dry_run=dry_run), "account"
        )
    )
    context.keep(*_key(setting, dry_run), *_readable(context, setting, dry_run))
    identities = _hosts(context, setting)
    done = this_machine.enforce(schedule_units.units(setting), dry_run=dry_run)
    return _result(context, (*identities, state_outcome(MACHINE, UNITS, done, "service and timer")))


def hosts(context: Context) -> FlowResult:
    """Bring the identity to hosts, or up to date there; this machine stays as it is."""
    return _result(context, _hosts(context, _setting(context)))


def status(context: Context) -> FlowResult:
    """Compare everything with what install would make; nothing is changed."""
    setting = _setting(context)
    if not on_systemd():
        # Neither the timer nor the identity's key can be here, and without the key no host can be compared.
        message = "this machine is not run by systemd: nothing runs by itself here"
        step = "ask on the machine where `python -m flows.schedule install` was run"
        return FlowResult((Outcome(MACHINE, UNITS, Status.FAILED, message, next=step),), hosts=())
    done = this_machine.enforce(schedule_units.units(setting), dry_run=True)
    unit = state_outcome(MACHINE, UNITS, done, "service and timer")
    return _result(context, (unit, timer_told(setting), *_hosts(context, setting, dry_run=True)))


def remove(context: Context) -> FlowResult:
    """
    Stop the timer, take the identity off every host, then its key and account off this machine; with --limit off those
    hosts alone.
    """
    setting, dry_run = _setting(context), context.options.dry_run
    if not context.options.yes and not dry_run:
        raise PlanRefused(
            "remove destroys; it would take the identity and its key away",
            next_step="look at --dry-run, then run again with --yes",
        )
    if context.options.limit is not None:
        return _result(context, _left(context, setting))
    _refuse(obstacles(context.site, setting, leaving=True))
    context.keep(
        state_outcome(MACHINE, UNITS, this_machine.enforce(schedule_units.stopped(setting), dry_run=dry_run), "timer")
    )
    departures = _left(context, setting)
    last = not any(folder != setting.folder for folder in schedule_units.STATE.glob("*"))
    done = this_machine.enforce(schedule_units.absent(setting, last=last), dry_run=dry_run)
    if done.applied:
        this_machine.forget_failures(*schedule_units.all_units(setting))
    return _result(context, (*departures, state_outcome(MACHINE, IDENTITY, done, "units, key and account gone")))


def _left(context: Context, setting: Setting) -> tuple[Outcome, ...]:
    """Take the identity off the selected hosts."""
    dry_run = context.options.dry_run
    with at_work(context, "schedule", hosts_of(context), lock=True) as cluster_run:
        context.keep(*cluster_run.lost.values())
        state = scheduled.absent(setting.schedule.user)
        return cluster_run.on_each(
            IDENTITY,
            "removing the identity",
            lambda host: state_outcome(host.name, IDENTITY, enforce(host, state, dry_run=dry_run), "identity gone"),
            cluster_run.hosts,
            _HOST_SECONDS,
        )


def _setting(context: Context) -> Setting:
    return setting_of(context.site, context.options.inventory, Path(sys.executable))


def _result(context: Context, outcomes: Iterable[Outcome]) -> FlowResult:
    return FlowResult(tuple(outcomes), hosts_of(context), extra=roles(context.site))


def _refuse(reasons: tuple[str, ...]) -> None:
    if reasons:
        raise PlanRefused(
            "\n".join(("refused, nothing was changed anywhere:", *reasons)),
            next_step="correct them, then run again; docs/schedule.md says what a machine needs",
        )


def _key(setting: Setting, dry_run: bool) -> Iterable[Outcome]:
    if public_key(setting.key) is not None:
        yield Outcome(MACHINE, "schedule/key", Status.OK, f"{setting.key}.pub is there")
    elif dry_run:
        yield Outcome(
            MACHINE, "schedule/key", Status.DRIFT, f"{setting.key} would be made", next="run without --dry-run"
        )
    else:
        this_machine.make_key(setting.key, setting.schedule.user, f"{setting.schedule.user}@{setting.site}")
        yield Outcome(MACHINE, "schedule/key", Status.CHANGED, f"{setting.key} made; it never leaves this machine")


def _readable(context: Context, setting: Setting, dry_run: bool) -> Iterable[Outcome]:
    """The account reads the site's files by its group."""
    user, todo = setting.schedule.user, grants(context.site, setting)
    if not todo:
        yield Outcome(MACHINE, SITE, Status.OK, "the site's files can be read by the account")
    elif dry_run:
        message, step = "the account would be let read the site's files", "run without --dry-run"
        yield Outcome(MACHINE, SITE, Status.DRIFT, message, next=step, evidence=todo.diff(user))
    else:
        grant(todo, user)
        yield Outcome(
            MACHINE,
            SITE,
            Status.CHANGED,
            "the account can read the site's files now",
            next="",
            evidence=todo.diff(user),
        )


def _hosts(context: Context, setting: Setting, *, dry_run: bool | None = None) -> tuple[Outcome, ...]:
    names = hosts_of(context)
    dry_run = context.options.dry_run if dry_run is None else dry_run
    key = public_key(setting.key)
    if key is None and not dry_run:
        raise PlanRefused(
            f"{setting.key}.pub is not here: run `python -m flows.schedule install` on this machine first"
        )
    state = scheduled.desired(setting.schedule.user, key or PLACEHOLDER)
    with at_work(context, "schedule", names, lock=not dry_run) as cluster_run:
        context.keep(*cluster_run.lost.values())
        outcomes = cluster_run.on_each(
            IDENTITY,
            "comparing the identity" if dry_run else "bringing the identity",
            lambda host: state_outcome(host.name, IDENTITY, enforce(host, state, dry_run=dry_run), "identity"),
            cluster_run.hosts,
            _HOST_SECONDS,
        )
        return (*outcomes, *_proven(context, cluster_run, setting, outcomes))


def _proven(
    context: Context, cluster_run: ClusterRun, setting: Setting, outcomes: tuple[Outcome, ...]
) -> tuple[Outcome, ...]:
    """Log in as the identity where everything is in its place."""
    ready = tuple(outcome.host for outcome in outcomes if outcome.status in (Status.OK, Status.CHANGED))
    return prove(context, setting, tuple(name for name in cluster_run.hosts if name in ready))
