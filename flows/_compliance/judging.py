"""The judgement of what compliance looked at: every check an outcome a host, every item of the checklist an answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from checks.check import ComplianceCheck, ComplianceView, HostCheck, SiteCheck
from checks.cluster_source import has_cluster
from checks.items import checklist
from flows._compliance.items import others, states
from flows._compliance.kept import known, since, trend
from flows._compliance.look import Looked, hosts_of, look
from flows._compliance.shown import described
from flows._fleet.failure import HostFailure
from flows._run.context import FlowResult
from model.check.check import run
from model.check.finding import Verdict
from model.errors import SelectionError
from model.report.outcome import Outcome, Status
from model.report.waivers import expired, waive_outcomes

if TYPE_CHECKING:
    from nornir.core import Nornir

    from flows._run.context import Context
    from model.site.hosts import Machine

CONTROLLER = "controller"


def comply(nr: Nornir, context: Context, checks: Sequence[ComplianceCheck[...]], *, whole: bool) -> FlowResult:
    """
    Judge the checks, and where they are all of them (`whole`) tell what answers for every item.

    Raises `SelectionError` where no selected host is looked at by any check.
    """
    names = hosts_of(context)
    looked = look(nr, context, names)
    site, today = context.site, context.started.date()
    outcomes = judged(checks, looked, names)
    if not outcomes:
        raise SelectionError(
            f"--limit {context.options.limit}: none of these is looked at by a check that --check, --phase and "
            "--severity leave"
        )
    if whole:
        outcomes += others(site, checklist(), today)
    outcomes = waive_outcomes(outcomes, site.settings.waivers, today)
    before = known(context.options.inventory)
    extra: dict[str, object] = {
        "roles": {machine.name: list(machine.roles) for machine in site.machines},
        "limit": context.options.limit,
        "checks": described(checks),
        "waivers": [waiver.model_dump(mode="json") for waiver in site.settings.waivers],
        "since": since(before, (*outcomes, *expired(site.settings.waivers, today))),
        "trend": trend(before, context.started.isoformat(), outcomes if _comparable(context, whole=whole) else None),
    }
    if whole:
        extra["items"] = states(checklist(), outcomes)
    expected = (
        tuple(name for name in names if any(outcome.host == name for outcome in outcomes)) if not whole else names
    )
    return FlowResult(outcomes, expected, extra=extra)


def _comparable(context: Context, *, whole: bool) -> bool:
    """Only runs of every check on every host can be counted side by side."""
    return whole and context.options.limit is None


def judged(checks: Iterable[ComplianceCheck[...]], looked: Looked, names: Sequence[str]) -> tuple[Outcome, ...]:
    """Return one outcome for each check of each host that it is for, and one for each check of the site."""
    outcomes: list[Outcome] = []
    for check in checks:
        if isinstance(check, HostCheck):
            machines = [looked.view.site.by_name[name] for name in names]
            outcomes += [
                _of_host(check, looked, machine)
                for machine in machines
                if check.applies.holds(looked.view.site, machine)
            ]
        elif isinstance(check, SiteCheck):
            outcomes.append(_of_site(check, looked.view))
    return tuple(outcomes)


def _of_host(check: HostCheck, looked: Looked, machine: Machine) -> Outcome:
    failure = looked.failures.get(machine.name)
    if failure is not None:
        return _lost(check, failure, looked.view)
    facts = looked.view.facts[machine.name]
    return _outcome(machine.name, check, run(check, looked.view, machine, facts), looked.view)


def _lost(check: HostCheck, failure: HostFailure, view: ComplianceView) -> Outcome:
    """
    A silent host fails its own checks; what it was of a cluster that others tell of is missing there, with the host as
    the cause.
    """
    evidence = _evidence(check, None)
    if not check.part or not has_cluster(view):
        return Outcome(
            failure.host,
            check.id,
            failure.status,
            failure.message,
            next=failure.next,
            evidence=evidence,
            seconds=failure.seconds,
        )
    message = f"{check.part} is missing with its host: {failure.message}"
    return Outcome(
        failure.host, check.id, Status.MISSING, message, next=failure.next, evidence=evidence, seconds=failure.seconds
    )


def _of_site(check: SiteCheck, view: ComplianceView) -> Outcome:
    return _outcome(CONTROLLER, check, run(check, view), view)


def _outcome(host: str, check: ComplianceCheck[...], verdict: Verdict, view: ComplianceView) -> Outcome:
    evidence = _evidence(check, verdict.evidence) | {"at": view.now.isoformat(timespec="seconds")}
    if verdict.findings:
        remedies = dict.fromkeys(finding.remedy for finding in verdict.findings)
        rest = [words for words in (verdict.doubt, verdict.pending) if words]
        message = "; ".join([*(finding.message for finding in verdict.findings), *rest])
        return Outcome(host, check.id, Status.DRIFT, message, next="; ".join(remedies), evidence=evidence)
    if verdict.doubt:
        return Outcome(host, check.id, Status.UNPROVEN, verdict.doubt, next=check.remedy, evidence=evidence)
    if verdict.pending:
        return Outcome(host, check.id, Status.NOT_RUN, verdict.pending, next="", evidence=evidence)
    return Outcome(host, check.id, Status.OK, verdict.good, next="", evidence=evidence)


def _evidence(check: ComplianceCheck[...], seen: object) -> dict[str, object]:
    """Say what was looked at and how a person would look; a diff stands where reports look for one."""
    basis: dict[str, object] = {"severity": check.severity.value, "looks_at": check.looks_at, "by": check.by}
    if isinstance(seen, dict) and "diff" in seen:
        return basis | seen
    return basis | ({"seen": seen} if seen is not None else {})
