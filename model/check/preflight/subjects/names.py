"""Checks of names: the organisation's DNS says what it must, and keeps from others what is LI's alone."""

from __future__ import annotations

from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.judgement.names import NameAnswer, answered, leaked, unanswered
from model.check.preflight.questions import name_servers
from model.check.preflight.view import PreflightView
from model.host.machine_facts import MachineFacts
from model.site.hosts import Machine
from model.site.names import records


def silent(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find name servers of the site that do not answer this host, or not all it asks."""
    servers = _servers(view, machine, facts)
    if not servers:
        yield Finding("has no name server, and site.yaml names none")
    asked = {record.name for record in records(view.site)}
    yield from map(Finding, unanswered(asked, facts.asked.names, servers))


def wrong(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find names that lead elsewhere than to the addresses of site.yaml."""
    yield from (Finding(answer.elsewhere) for answer in _answered(view, machine, facts) if answer.elsewhere)


def pending(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find names that nobody entered yet; that is in time before the rollout."""
    yield from (Finding(f"pending: {answer.pending}") for answer in _answered(view, machine, facts) if answer.pending)


def leaks(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find names of LI alone that resolve outside its network."""
    if not view.site.isolated(machine):
        yield from map(Finding, leaked(view.site, facts.asked.names, _servers(view, machine, facts)))


def _answered(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[NameAnswer]:
    """What is said of the names that concern the host."""
    own = "li" if view.site.isolated(machine) else "main"
    wanted = [record for record in records(view.site) if record.view == own]
    return answered(wanted, facts.asked.names, _servers(view, machine, facts))


def _servers(view: PreflightView, machine: Machine, facts: MachineFacts) -> tuple[str, ...]:
    declared = name_servers(view.site, machine)
    return tuple(str(server) for server in declared) or facts.network.resolvers[:1]


CHECKS = (
    Check(
        id="dns-silent",
        judge=silent,
        remedy="have that name server admit this host, or correct `dns` in site.yaml",
    ),
    Check(
        id="dns-wrong",
        judge=wrong,
        remedy="have that record corrected, or the addresses in site.yaml",
    ),
    Check(
        id="dns-pending", severity=Severity.PENDING, judge=pending, remedy="have that record entered before the rollout"
    ),
    Check(id="dns-li-leak", judge=leaks, remedy="have these names served to the LI network alone"),
)
