"""Who is notified of what in the latest run of compliance, and who has been notified of what."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows._compliance.kept import last, prune
from flows._render.document import rows_of
from flows._run import folder as _folder
from flows._run.context import Context, FlowResult
from model.errors import LockHeld, NotToldError, SiteError
from model.report.news import Findings, News, NewsItem, news, subject_line, text
from model.report.outcome import Outcome, Status
from model.site.schedule import Tell
from model.site.site import Site
from remote.notify import Message, tell

CONTROLLER = "controller"
FLOW = "notify"
MEMORY = "notified.json"
_SCHEMA = "matrix-fleet/notified/1"
_RUN = "schedule/run"
# What systemd tells a unit that it starts after another one (systemd.exec(5)).
_RESULT = "MONITOR_SERVICE_RESULT"
_ENDED = ("success", "exit-code")


@dataclass(frozen=True, slots=True)
class NotificationState:
    """What somebody was told last: of which run, and what was not good then."""

    run: str
    findings: Findings


def notify(context: Context) -> FlowResult:
    """
    Tell each notifier of the site what it has not been told yet; one that fails is told again with the next run's news.

    Raises `SiteError` where there is nobody to tell, or nothing.
    """
    notifiers, folder = _notifiers(context.site), context.options.inventory
    report = last(folder)
    if report is None:
        raise SiteError(f"compliance has not run yet in {folder}: there is nothing to tell")
    with _memory(folder, keep=not context.options.dry_run) as memory:
        outcomes = tuple(_notified(context, notifier, report, memory) for notifier in notifiers)
    prune(folder, context.site.settings.compliance.keep_runs, FLOW)
    return FlowResult(outcomes, hosts=())


def try_out(context: Context) -> FlowResult:
    """Send every notifier a message that says it is a trial; nothing is remembered."""
    name = context.site.name
    words = f"{name}: a trial message of matrix-fleet; nothing happened"
    data = {"schema": "matrix-fleet/news/1", "site": name, "trial": True, "text": words}
    once = hashlib.sha256(f"{name} {context.started.isoformat()}".encode()).hexdigest()
    message = Message(words, words, data, once)
    outcomes = tuple(_sent(context, notifier, message, "told as a trial") for notifier in _notifiers(context.site))
    return FlowResult(outcomes, hosts=())


def _notifiers(site: Site) -> tuple[Tell, ...]:
    notifiers = site.settings.compliance.notify
    if not notifiers:
        raise SiteError(
            "site.yaml names nobody to tell",
            next_step="write `compliance: {notify: [{kind: mail, to: [...]}]}`; docs/schedule.md has all kinds",
        )
    return notifiers


def _notified(
    context: Context, notifier: Tell, report: Mapping[str, Any], memory: dict[str, NotificationState]
) -> Outcome:
    before = memory.get(notifier.id, NotificationState("", {}))
    fresh = news(
        before.findings, _outcomes(report), whole=report["run"] != before.run and _is_whole(context.site, report)
    )
    subject = f"notify/{notifier.kind}"
    if not fresh:
        memory[notifier.id] = NotificationState(report["run"], fresh.standing)
        since = f"since {before.run}" if before.run else "and nothing was told before"
        return Outcome(CONTROLLER, subject, Status.OK, f"{notifier.id}: nothing new {since}")
    message = _message(context.site.name, report, fresh, notifier, before)
    if context.options.dry_run:
        return Outcome(
            CONTROLLER,
            subject,
            Status.DRIFT,
            f"{notifier.id}: would be told",
            next="run without --dry-run",
            evidence=fresh.to_json(),
        )
    outcome = _sent(context, notifier, message, f"told: {message.subject}")
    if outcome.status is Status.CHANGED:
        memory[notifier.id] = NotificationState(report["run"], fresh.standing)
        return replace(outcome, evidence=fresh.to_json())
    return outcome


def _sent(context: Context, notifier: Tell, message: Message, done: str) -> Outcome:
    subject = f"notify/{notifier.kind}"
    try:
        tell(notifier, message, context.options.inventory)
    except NotToldError as error:
        step = "correct it; the same news are told again after the next run, or by `python -m flows.notify`"
        return Outcome(CONTROLLER, subject, Status.FAILED, f"{notifier.id}: {error}", next=step)
    return Outcome(CONTROLLER, subject, Status.CHANGED, f"{notifier.id}: {done}")


def _outcomes(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A run that systemd had to end has no report of its own: what is told is the former one, and that."""
    result = os.environ.get(_RESULT)
    if result is None:
        return rows_of(report, "outcomes")
    status = Status.OK if result in _ENDED else Status.FAILED
    message = f"the last run was ended by systemd before its report was written: {result}"
    return [*rows_of(report, "outcomes"), {"host": CONTROLLER, "subject": _RUN, "status": status, "message": message}]


def _is_whole(site: Site, report: Mapping[str, Any]) -> bool:
    everybody = {machine.name for machine in site.machines if machine.kind != "perimeter"}
    # Only a run that judged everything tells of items.
    return bool(report.get("items")) and everybody <= set(report["hosts"])


def _message(site: str, report: Mapping[str, Any], fresh: News, notifier: Tell, before: NotificationState) -> Message:
    run, subject = str(report["run"]), subject_line(site, fresh)
    whole = text(site, run, fresh)
    data = {
        "schema": "matrix-fleet/news/1",
        "site": site,
        "run": run,
        "exit": report["exit"],
        **fresh.to_json(),
        "text": whole,
    }
    # The run is no part of it: the next one tells the same news. What was told before is, since news may come twice.
    same = json.dumps([site, notifier.id, before.run, fresh.to_json()], sort_keys=True)
    return Message(subject, whole, data, hashlib.sha256(same.encode()).hexdigest())


@contextmanager
def _memory(inventory: Path, *, keep: bool) -> Iterator[dict[str, NotificationState]]:
    """
    Read what everybody was told, and write it down again when the block has ended, whole or not at all.

    Raises `LockHeld` where another run is telling.
    """
    path = inventory / "reports" / MEMORY
    # The folder itself is locked: whoever runs this, there is no file that another account could not open.
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockHeld(
                f"another run of flows.notify is telling the news of {inventory}; wait for it to end"
            ) from None
        memory = _read(path)
        try:
            yield memory
        finally:
            if keep:
                _folder.write_json(str(path), _written(memory))
    finally:
        os.close(handle)


def _read(path: Path) -> dict[str, NotificationState]:
    """A memory that cannot be read is none: everything that is not good is told once more."""
    try:
        entries = json.loads(path.read_text("utf-8"))["told"]
        return {
            notifier: NotificationState(
                str(entry["run"]), {key: NewsItem.read(row) for key, row in entry["findings"].items()}
            )
            for notifier, entry in entries.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _written(memory: Mapping[str, NotificationState]) -> str:
    entries = {
        notifier: {"run": state.run, "findings": {key: finding.to_json() for key, finding in state.findings.items()}}
        for notifier, state in memory.items()
    }
    return json.dumps({"schema": _SCHEMA, "told": entries}, indent=1) + "\n"
