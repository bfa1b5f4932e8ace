"""How is the firewall of many hosts changed: all looked at, all judged, and only then any of them touched?"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

from flows._firewall.outcomes import changed, disturbed, failed, holds, proposed, stopped
from flows._hosts import HostFailure
from model.adoption import covered
from model.errors import HostError, LockHeld, PlanRefused, SelectionError
from model.outcome import Outcome
from model.ufw import desired_rules
from model.ufw_rule import UfwRule
from remote import shell
from remote.facts.firewall import FirewallFacts, observe
from tasks import firewall
from tasks.firewall_plan import SUBJECT, Plan, findings, lockout, plan, strangers
from tasks.firewall_session import Session, open_session

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from flows._context import Context
    from model.hosts import Machine
    from model.site import Site

PROOF_SECONDS = 12.0


@dataclass(frozen=True)
class Prepared:
    """A host looked at and judged, its lock held where `session` is there. `refusal`: why nothing may be done anywhere."""

    facts: FirewallFacts
    plan: Plan
    refusal: str | None
    own_rules: tuple[str, ...]
    findings: tuple[Outcome, ...]
    session: Session | None


@dataclass
class Sessions:
    """Every session that is open, so that all of them end whatever happens."""

    open: dict[str, Session] = field(default_factory=dict)

    def begin(self, host: Host) -> Session:
        """Open a session on a host and remember it."""
        self.open[host.name] = open_session(host, who())
        return self.open[host.name]

    def end(self) -> None:
        """End all sessions."""
        for session in self.open.values():
            session.end()
        for session in self.open.values():
            session.close()


@contextmanager
def sessions() -> Iterator[Sessions]:
    """Keep sessions for as long as the block runs."""
    kept = Sessions()
    try:
        yield kept
    finally:
        kept.end()


def who() -> str:
    """Return what another run reads that finds a host locked by this one."""
    return f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"


def prepare(site: Site, host: Host, kept: Sessions | None) -> Prepared:
    """
    Look at one host and judge what the matrix wants there; `kept` None is a dry run, which takes no lock.
    """
    session = kept.begin(host) if kept is not None else None
    facts = session.facts() if session else observe(host)
    machine = site.by_name[host.name]
    return Prepared(
        facts,
        plan(site, machine, facts),
        lockout(site, machine, facts),
        _own_rules(site, machine, facts),
        findings(site, host.name, facts),
        session,
    )


def wanted(site: Site, machine: Machine) -> tuple[UfwRule, ...]:
    """Return the rules of both families that the matrix wants on a machine."""
    return (*desired_rules(site, machine, 4), *desired_rules(site, machine, 6))


def _own_rules(site: Site, machine: Machine, facts: FirewallFacts) -> tuple[str, ...]:
    """Return, in words, what a person opened on a host never managed before and what the matrix does not want."""
    try:
        return tuple(rule.words() for rule in strangers(facts) if not covered(rule, wanted(site, machine)))
    except ValueError as error:
        return (str(error),)


def refuse(answers: Mapping[str, Prepared | HostFailure]) -> None:
    """
    Raise `LockHeld` or `PlanRefused` for all hosts at once where any host gives reason to; nothing was touched by then.
    """
    held = [answer.message for answer in answers.values() if _is_lock(answer) and isinstance(answer, HostFailure)]
    if held:
        raise LockHeld("\n".join(held))
    reasons = [answer.refusal for answer in answers.values() if isinstance(answer, Prepared) and answer.refusal]
    if reasons:
        error = PlanRefused("\n".join(["refused, nothing was changed on any host:", *reasons]))
        error.next_step = (
            "admit that address by a row (`management` in site.yaml), or connect from where the matrix admits it"
        )
        raise error


def _is_lock(answer: Prepared | HostFailure) -> bool:
    return isinstance(answer, HostFailure) and isinstance(answer.exception, LockHeld)


def carry_out(site: Site, host: Host, prepared: Prepared, *, purge: bool, hold: float) -> tuple[Outcome, ...]:
    """
    Bring one host to what the matrix says and return what came of it.
    """
    started = monotonic()
    found = _carried_out(site, host, prepared, purge=purge, hold=hold)
    return tuple(replace(outcome, seconds=round(monotonic() - started, 3)) for outcome in found)


def _carried_out(site: Site, host: Host, prepared: Prepared, *, purge: bool, hold: float) -> tuple[Outcome, ...]:
    if prepared.own_rules and not purge:
        return (stopped(host.name, prepared.own_rules), *prepared.findings)
    if prepared.session is None:
        return (proposed(prepared.plan), *prepared.findings)
    facts, todo, found = prepared.facts, prepared.plan, prepared.findings
    if todo.install:
        facts = firewall.install(prepared.session)
        todo = plan(site, site.by_name[host.name], facts)
        found = findings(site, host.name, facts)
    if not todo.change:
        return (holds(todo), *found)
    return (*applied(host, prepared.session, todo, facts, hold), *found)


def applied(host: Host, session: Session, todo: Plan, facts: FirewallFacts, hold: float) -> tuple[Outcome, ...]:
    """
    Carry out a plan on one host; a failure is that host's outcome, and says that the host is as it was.
    """
    try:
        done = firewall.apply(session, todo, facts.rulesets, _proof(host), hold)
    except HostError as error:
        return (failed(todo, error.message, error.next_step),)
    outcome = changed(todo)
    if not done.foreign:
        return (outcome,)
    return outcome, disturbed(host.name, done.foreign)


def _proof(host: Host) -> Callable[[], object]:
    return lambda: shell.reconnect_proof(host, PROOF_SECONDS)


def servers(context: Context) -> tuple[str, ...]:
    """
    Return the selected hosts whose firewall is ours; raises `SelectionError` where none is.
    """
    ours = {machine.name for machine in context.site.servers}
    names = tuple(name for name in context.hosts if name in ours)
    if not names:
        raise SelectionError(f"--limit {context.options.limit}: none of these is a server of the site")
    return names


def roles(site: Site) -> dict[str, object]:
    """Return the report's own key that says which roles each host has."""
    return {"roles": {machine.name: list(machine.roles) for machine in site.machines}}


def told(answer: tuple[Outcome, ...] | HostFailure) -> tuple[Outcome, ...]:
    """Return a host's outcomes, whatever came of it."""
    return (answer.outcome(SUBJECT),) if isinstance(answer, HostFailure) else answer
