"""Outcomes of the phases that several of them have: a state enforced, what a dry run leaves, what was not run."""

from __future__ import annotations

from collections.abc import Iterable

from model.report.outcome import Outcome, Status
from tasks.hoststate import Enforced


def state_outcome(host: str, subject: str, done: Enforced, what: str) -> Outcome:
    """Return what came of bringing a host to a state; `what` names it."""
    if not done.change:
        return Outcome(host, subject, Status.OK, f"{what}: as declared")
    count = len(done.change.files) + len(done.change.packages)
    evidence = done.change.diff
    if done.applied:
        return Outcome(
            host, subject, Status.CHANGED, f"{what}: changed ({count} files and packages)", next="", evidence=evidence
        )
    return Outcome(
        host, subject, Status.DRIFT, f"{what}: would be changed", next="run without --dry-run", evidence=evidence
    )


def would(host: str, subject: str, message: str) -> Outcome:
    """Return the outcome of a dry run that stops short of something."""
    return Outcome(host, subject, Status.DRIFT, message, next="run without --dry-run")


def skipped(hosts: Iterable[str], subject: str, message: str) -> tuple[Outcome, ...]:
    """Return outcomes that say why something was not run."""
    return tuple(Outcome(host, subject, Status.NOT_RUN, message) for host in hosts)
