"""The phase that gives every host the firewall that follows from the port matrix."""

from __future__ import annotations

from flows._firewall_apply import apply
from flows._phases.work import Work
from model.outcome import Outcome, Status


def run(work: Work) -> tuple[Outcome, ...]:
    """Apply the host firewall on every host that is in; one where that failed goes no further."""
    outcomes = apply(work.nr, work.context, work.hosts, purge=work.purge, hold=0.0)
    for outcome in outcomes:
        if outcome.status is Status.FAILED and outcome.host in work.names:
            work.lost[outcome.host] = outcome
    return outcomes
