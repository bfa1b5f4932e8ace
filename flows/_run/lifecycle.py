"""What every flow does around its own work: load, lint, lock, time, catch, report, exit."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from signal import SIGHUP, SIGTERM, Handlers, getsignal, signal
from threading import current_thread, main_thread
from types import FrameType
from typing import NoReturn

from flows._render.words import counted
from flows._run import folder
from flows._run.context import Context, FlowResult
from flows._run.events import Events
from flows._run.failed import expand_failed
from flows._run.lock import site_lock
from flows._run.log import RunLog
from flows._run.options import Options
from flows._run.publish import CONTROLLER, Run, publish, refuse_site
from flows._run.screen import Screen
from model.check import lint
from model.check.finding import Finding
from model.errors import FleetError, HostError, Interrupted, LockHeld, PlanRefused, SchemaErrors, SiteError
from model.report.outcome import INTERRUPTED, REFUSED, Outcome, Status
from model.report.waivers import expired, waive_outcomes
from model.rollout.veil import veiled
from model.site.load import load_site
from model.site.select import select
from model.site.site import Site

__all__ = ["Context", "FlowResult", "run_flow", "terminable"]

Body = Callable[[Context], FlowResult]
# What is raised before anything was done.
_REFUSALS = (SiteError, PlanRefused, LockHeld)


@dataclass(frozen=True, slots=True)
class _Flow:
    run: Run
    body: Body
    changes: bool
    lint_first: bool
    events: Events


def run_flow(flow: str, options: Options, body: Body, *, changes: bool = False, lint_first: bool = True) -> int:
    """
    Run a flow's body between loading the site and reporting; return the exit code.

    `changes`: the body may change hosts or `state/`, so the site's lock is held, unless it is a dry run. `lint_first`:
    errors that lint finds stop the flow. Every exception ends as a message; with a loaded site also as a report.
    """
    run = Run(flow, options, datetime.now(UTC), changes)
    screen = Screen(options)
    about = {"inventory": options.inventory, "limit": options.limit, "dry_run": options.dry_run, "pid": os.getpid()}
    events = Events(flow, folder.run_name(flow, run.started), about)
    screen.listeners.append(events.message)
    code = REFUSED
    try:
        with terminable():
            code = _conducted(_Flow(run, body, changes, lint_first, events), screen)
    except KeyboardInterrupt:
        screen.error("interrupted")
        code = INTERRUPTED
    finally:
        seconds = round((datetime.now(UTC) - run.started).total_seconds(), 3)
        events.write("run-ended", exit=code, seconds=seconds)
        events.close()
    if events.broken:
        screen.error(f"--events {options.events}: broke off: {events.broken}", "the report has all that happened")
        # What was found is in the report and keeps its exit code; only a run without findings has nothing worse to say.
        code = code or REFUSED
    return code


def _conducted(flow: _Flow, screen: Screen) -> int:
    options = flow.run.options
    try:
        folder.check_writable(options.json)
        flow.events.open(options)
        site = load_site(options.inventory)
    except SchemaErrors as error:
        return refuse_site(flow.run, error, screen)
    except FleetError as error:
        screen.error(str(error), error.next_step)
        return REFUSED
    with _logged(flow, screen) as place:
        return _reported(flow, site, screen, place)


@contextmanager
def _logged(flow: _Flow, screen: Screen) -> Iterator[folder.RunFolder | None]:
    """Make the run's folder and log into it; where it cannot be made, the run goes on and its report will tell."""
    run = flow.run
    try:
        place = folder.claim(run.options.inventory, run.flow, run.started)
    except OSError:
        yield None
        return
    log = RunLog(place.draft)
    flow.events.run = place.run
    flow.events.write("run-started")
    screen.listeners.append(log.write)
    try:
        yield place
    finally:
        screen.listeners.remove(log.write)
        log.close()


def _reported(flow: _Flow, site: Site, screen: Screen, place: folder.RunFolder | None) -> int:
    options = flow.run.options
    kept: list[Outcome] = []
    hosts: tuple[str, ...] = ()
    try:
        limit = expand_failed(options.limit, flow.run.flow, site, options.inventory)
        hosts = select(site, limit)
        context = Context(
            site=site,
            options=replace(options, limit=limit),
            hosts=hosts,
            started=flow.run.started,
            screen=screen,
            kept=kept,
            events=flow.events,
        )
        result = _result(flow, context)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the controller's own failures end here
        result = _failure(flow.run, error, screen)
    refused = result.refused and not any(outcome.status is Status.CHANGED for outcome in kept)
    result = replace(result, outcomes=(*kept, *result.outcomes))
    return publish(flow.run, flow.run.report(site.name, hosts, result), screen, place, refused=refused)


def _result(flow: _Flow, context: Context) -> FlowResult:
    if flow.lint_first:
        errors = [finding for finding in lint.findings(context.site, renders=False) if finding.severity == "error"]
        if errors:
            return _unsound(flow.run, errors)
    with ExitStack() as held:
        if flow.changes and not context.options.dry_run:
            held.enter_context(site_lock(context.options.inventory, flow.run.flow))
        result = flow.body(context)
    return _waived(result, context) if flow.lint_first else result


def _waived(result: FlowResult, context: Context) -> FlowResult:
    """Mark what the site answers for; a waiver whose date has passed is a finding of its own."""
    today = context.started.date()
    waivers = context.site.settings.waivers
    return replace(result, outcomes=(*waive_outcomes(result.outcomes, waivers, today), *expired(waivers, today)))


def _unsound(run: Run, errors: list[Finding]) -> FlowResult:
    message = f"lint finds {counted(len(errors), 'error')} in the site's files"
    step = "correct each error that is named with its file and field; `python -m flows.lint` checks again"
    outcome = Outcome(CONTROLLER, run.flow, Status.FAILED, message, next=step)
    findings = [lint.as_json(finding) for finding in errors]
    return FlowResult((outcome,), hosts=(), forced=REFUSED, extra={"findings": findings}, refused=True)


def _failure(run: Run, error: BaseException, screen: Screen) -> FlowResult:
    """Tell of an exception and turn it into an outcome; the exit code is the one its kind stands for."""
    if isinstance(error, HostError):
        outcome = Outcome(error.host, run.flow, Status.FAILED, veiled(error.message), next=error.next_step)
        return FlowResult((outcome,), hosts=())
    if isinstance(error, KeyboardInterrupt):
        hosts = error.hosts if isinstance(error, Interrupted) else {}
        step = error.next_step if isinstance(error, Interrupted) else "run again: what was done is kept"
        outcome = Outcome(CONTROLLER, run.flow, Status.FAILED, "interrupted", next=step)
        ends = (Outcome(host, run.flow, Status.FAILED, message, next=step) for host, message in hosts.items())
        return FlowResult((outcome, *ends), hosts=(), forced=INTERRUPTED)
    if isinstance(error, FleetError):
        message, step = str(error), error.next_step
    else:
        message = f"unforeseen: {type(error).__name__}: {error}"
        step = "report this as a bug, with -v's output"
    message = veiled(message)
    screen.error(message, step)
    if run.options.verbose:
        screen.error(veiled("".join(traceback.format_exception(error))))
    outcome = Outcome(CONTROLLER, run.flow, Status.FAILED, message, next=step)
    return FlowResult((outcome,), hosts=(), forced=REFUSED, refused=isinstance(error, _REFUSALS))


@contextmanager
def terminable() -> Iterator[None]:
    """
    Let SIGTERM and a closed terminal end the block as Ctrl-C does, so that what is armed or locked is let go in order.
    """
    if current_thread() is not main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    # A run started with nohup ignores SIGHUP and must go on doing so.
    caught = [number for number in (SIGTERM, SIGHUP) if getsignal(number) is Handlers.SIG_DFL]
    for number in caught:
        signal(number, interrupt)
    try:
        yield
    finally:
        for number in caught:
            signal(number, Handlers.SIG_DFL)
