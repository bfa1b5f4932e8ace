"""
What is wrong with hosts before anything is changed on them, as outcomes: everybody looked at once, everything told at
once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from flows._cluster.cluster_run import ClusterRun
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from model.bundle.bundle import Bundle
from model.check.finding import Finding, Severity
from model.check.preflight import examine
from model.check.preflight.questions import questions
from model.errors import PlanRefused, RootRefused
from model.kubernetes.compatibility import of_site
from model.report.outcome import Outcome, Status, warn
from model.report.waivers import waive_outcomes
from remote.facts import machine

if TYPE_CHECKING:
    from datetime import date

    from nornir.core import Nornir
    from nornir.core.inventory import Host

    from flows._run.context import Context
    from model.host.machine_facts import MachineFacts
    from model.site.site import Site

SUBJECT = "preflight"
_WORKERS = 128
_SECONDS = 60.0


def gate(site: Site, bundle: Bundle | None, today: date) -> tuple[Outcome, ...]:
    """Return what nobody patches any more; raises `PlanRefused` for what cannot work, before anything is looked at."""
    problems = tuple(of_site(site.settings, bundle, today))
    refused = [problem for problem in problems if problem.severity == "error"]
    if refused:
        raise PlanRefused(
            "\n".join(problem.what for problem in refused),
            next_step="; ".join(dict.fromkeys(problem.fix for problem in refused)),
        )
    return tuple(warn("controller", f"{SUBJECT}/versions", problem.what, problem.fix) for problem in problems)


def preflight(
    nr: Nornir, context: Context, names: Sequence[str], bundle: Bundle | None = None, helper_hosts: Sequence[str] = ()
) -> tuple[Outcome, ...]:
    """
    Look at every named host in one read-only round trip and return one outcome a finding, and one for each host without
    any.

    Hosts `helper_hosts` are looked at too, for what is only seen between hosts, and nothing is told of them. What the
    site waives is waived already; `stops` tells what is left that must be mended first. A host that cannot be looked at
    is failed and hides no other. Raises `PlanRefused` as `gate` does.
    """
    site, today = context.site, context.started.date()
    versions = gate(site, bundle, today)

    def look(host: Host) -> MachineFacts:
        return machine.observe(host, questions(site, site.by_name[host.name]))

    asked = (*names, *helper_hosts)
    with context.awaiting(asked, "looking at every host") as watch:
        answers = run_on_hosts(nr, look, names=asked, workers=_WORKERS, watch=watch, deadline=_SECONDS)
    facts = {name: answer for name, answer in answers.items() if not isinstance(answer, HostFailure)}
    findings = examine(site, facts, today, bundle)
    outcomes = [
        outcome
        for name, answer in answers.items()
        if name in names
        for outcome in ((_unseen(answer),) if isinstance(answer, HostFailure) else _outcomes(name, findings[name]))
    ]
    return waive_outcomes((*versions, *outcomes), site.settings.waivers, today)


def stops(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """
    Return the findings because of which nothing may be changed yet; hosts that could not be looked at are not among
    them.
    """
    return tuple(outcome for outcome in outcomes if outcome.status is Status.DRIFT)


def _outcomes(host: str, findings: Sequence[Finding]) -> tuple[Outcome, ...]:
    outcomes = tuple(_outcome(finding) for finding in findings)
    if any(finding.severity is Severity.ERROR for finding in findings):
        return outcomes
    return Outcome(host, SUBJECT, Status.OK, "can become a node" if not findings else "nothing in the way"), *outcomes


def _outcome(finding: Finding) -> Outcome:
    """Adapt a finding to the report: the one place that knows what each severity is there."""
    subject = f"{SUBJECT}/{finding.check}"
    if finding.severity is Severity.WARNING:
        return warn(finding.host, subject, finding.message, finding.remedy)
    status = Status.NOT_RUN if finding.severity is Severity.PENDING else Status.DRIFT
    return Outcome(finding.host, subject, status, finding.message, next=finding.remedy)


def _unseen(failure: HostFailure) -> Outcome:
    """A host whose sudo refuses was reached, and has something to be mended."""
    if isinstance(failure.exception, RootRefused):
        return Outcome(
            failure.host,
            f"{SUBJECT}/sudo",
            Status.DRIFT,
            failure.message,
            next=failure.next,
            evidence=None,
            seconds=failure.seconds,
        )
    return failure.outcome(SUBJECT)


def run(cluster_run: ClusterRun) -> tuple[Outcome, ...]:
    """Look at every host that answered; where nobody becomes root is told as a finding, too."""
    reached = [
        name for name in cluster_run.names if name not in cluster_run.lost or cluster_run.lost[name].subject == "sudo"
    ]
    return preflight(
        cluster_run.nr,
        cluster_run.context,
        reached,
        cluster_run.bundle,
        [name for name in cluster_run.helper_hosts if name in cluster_run.facts],
    )
