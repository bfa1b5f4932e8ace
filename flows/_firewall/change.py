"""How the firewall of many hosts is changed: all looked at, all reviewed, and only then any of them touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

from flows._firewall.outcomes import changed, disturbed, failed, holds, proposed, stopped
from flows._fleet.failure import HostFailure
from flows._run.selection import who
from model.errors import HostError, Interrupted, LockHeld, PlanRefused
from model.report.outcome import Outcome
from model.ufw.facts import FirewallFacts
from model.ufw.plan import UfwPlan
from model.ufw.review import SUBJECT, UfwReview, review
from model.ufw.unconfirmed import ROLLBACK_SECONDS
from remote import shell
from remote.facts.firewall import observe
from tasks import firewall
from tasks.firewall_session import INSTALL_SECONDS, FirewallSession, open_session

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from model.site.site import Site

PROOF_SECONDS = 12.0
# So much more for a connection that goes on to another host.
_BEHIND_SECONDS = 3.0
WORKERS = 32
_LOOK_SECONDS = 120.0
_APPLY_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class PreparedHost:
    """A host looked at and reviewed; its lock is held where `session` is there, which a dry run does without."""

    facts: FirewallFacts
    review: UfwReview
    session: FirewallSession | None

    @property
    def changes(self) -> bool:
        """True where there is anything to do."""
        return bool(self.review.plan.install or self.review.plan.change)


@dataclass
class FirewallSessions:
    """Every session that is open, so that all of them end whatever happens."""

    open: dict[str, FirewallSession] = field(default_factory=dict)

    def begin(self, host: Host) -> FirewallSession:
        """Open a session on a host and remember it."""
        self.open[host.name] = open_session(host, who())
        return self.open[host.name]

    def leave(self, names: Iterable[str]) -> tuple[FirewallSession, ...]:
        """End the sessions of some hosts, and return them."""
        ended = tuple(self.open.pop(name) for name in tuple(names) if name in self.open)
        for session in ended:
            session.end()
        for session in ended:
            session.close()
        return ended


@contextmanager
def sessions() -> Iterator[FirewallSessions]:
    """
    Keep sessions for as long as the block runs.

    Raises `Interrupted` in place of `KeyboardInterrupt` where a change waits to be confirmed.
    """
    kept = FirewallSessions()
    try:
        yield kept
    except KeyboardInterrupt:
        ended = kept.leave(kept.open)
        if waiting := {session.host: session.unconfirmed for session in ended if session.unconfirmed}:
            raise _interrupted(waiting) from None
        raise
    finally:
        kept.leave(kept.open)


def _interrupted(waiting: Mapping[str, str]) -> Interrupted:
    """Say of each host what becomes of its change; its rollback waits no longer than `ROLLBACK_SECONDS`."""
    at = f"{datetime.now(UTC) + timedelta(seconds=ROLLBACK_SECONDS):%H:%M:%SZ}"
    back = f"by itself within {ROLLBACK_SECONDS:g} s, at {at} at the latest"
    words = {
        "armed": f"interrupted before its change was confirmed: it is taken back {back}",
        "confirming": f"interrupted while its change was being confirmed: it stays, or is taken back {back}",
    }
    step = f"run again after {at}; what was confirmed on other hosts is kept"
    return Interrupted({host: words[state] for host, state in waiting.items()}, step)


def prepare(site: Site, host: Host, kept: FirewallSessions | None) -> PreparedHost:
    """Look at one host and review what the matrix wants there; `kept` None is a dry run, which takes no lock."""
    session = kept.begin(host) if kept is not None else None
    facts = session.facts() if session else observe(host, boot=True)
    return PreparedHost(facts=facts, review=review(site, site.by_name[host.name], facts), session=session)


def refuse(answers: Mapping[str, PreparedHost | HostFailure]) -> None:
    """
    Raise `LockHeld` or `PlanRefused` for all hosts at once where any host gives reason to; nothing was touched by then.
    """
    held = [answer.message for answer in answers.values() if _is_lock(answer) and isinstance(answer, HostFailure)]
    if held:
        raise LockHeld("\n".join(held))
    reasons = [
        answer.review.refusal
        for answer in answers.values()
        if isinstance(answer, PreparedHost) and answer.review.refusal
    ]
    if reasons:
        raise PlanRefused(
            "\n".join(["refused, nothing was changed on any host:", *reasons]),
            next_step="admit that address by a row (`management` in site.yaml), "
            "or connect from where the matrix admits it",
        )


def _is_lock(answer: PreparedHost | HostFailure) -> bool:
    return isinstance(answer, HostFailure) and isinstance(answer.exception, LockHeld)


def carry_out(
    site: Site, host: Host, prepared: PreparedHost, *, purge: bool, hold: float, behind: Host | None = None
) -> tuple[Outcome, ...]:
    """
    Bring one host to what the matrix says and return what came of it; `behind` is one that is reached through it.
    """
    started = monotonic()
    outcomes = _carried_out(site, host, prepared, purge=purge, hold=hold, behind=behind)
    return tuple(replace(outcome, seconds=round(monotonic() - started, 3)) for outcome in outcomes)


def _carried_out(
    site: Site, host: Host, prepared: PreparedHost, *, purge: bool, hold: float, behind: Host | None
) -> tuple[Outcome, ...]:
    facts, reviewed, session = prepared.facts, prepared.review, prepared.session
    if reviewed.own_rules and not purge:
        return (stopped(host.name, reviewed.own_rules), *reviewed.findings)
    if session is None:
        return (proposed(reviewed.plan, first=_first(reviewed)), *reviewed.findings)
    if reviewed.plan.install:
        facts = firewall.install(session)
        reviewed = review(site, site.by_name[host.name], facts)
    if not reviewed.plan.change:
        return (holds(reviewed.plan), *reviewed.findings)
    return (*applied(host, session, reviewed.plan, facts, hold, behind), *reviewed.findings)


def _first(reviewed: UfwReview) -> str:
    """Say what has to be mended before a change can succeed: a file of ufw's that it cannot load itself."""
    broken = [finding.subject for finding in reviewed.findings if finding.subject.endswith(".rules")]
    return f"correct {', '.join(name.rpartition('/')[2] for name in broken)} first: see below" if broken else ""


def applied(
    host: Host, session: FirewallSession, todo: UfwPlan, facts: FirewallFacts, hold: float, behind: Host | None = None
) -> tuple[Outcome, ...]:
    """
    Carry out a plan on one host; a failure is that host's outcome, and says that the host is as it was.

    It is proven by a new connection, and by one to the host `behind` it.
    """
    try:
        done = firewall.apply(session, todo, facts.rulesets, lambda: prove(host, behind), hold)
    except HostError as error:
        return (failed(todo, error.message, error.next_step),)
    outcome = changed(todo)
    if not done.foreign:
        return (outcome,)
    return outcome, disturbed(host.name, done.foreign)


def prove(host: Host, behind: Host | None) -> None:
    """Connect anew, within what a rollback waits."""
    seconds = shell.reconnect_proof(host, PROOF_SECONDS)
    if behind is None:
        return
    try:
        shell.reconnect_proof(behind, PROOF_SECONDS - seconds + _BEHIND_SECONDS)
    except HostError as error:
        raise HostError(host.name, f"{behind.name} can no longer be reached through it: {error.message}") from None


def outcomes_of(answer: tuple[Outcome, ...] | HostFailure) -> tuple[Outcome, ...]:
    """Return a host's outcomes, whatever came of it."""
    return (answer.outcome(SUBJECT),) if isinstance(answer, HostFailure) else answer


def to_look(hosts: int) -> float:
    """Return the seconds in which so many hosts are looked at, each of them at its slowest."""
    return _rounds(hosts) * _LOOK_SECONDS


def to_change(hosts: int, hold: float, *, installs: bool = False) -> float:
    """
    Return the seconds in which so many hosts are changed, each of them at its slowest.

    `hold` as in the command; `installs`: ufw is missing on some of them. A host given up rolls itself back.
    """
    return _rounds(hosts) * (_APPLY_SECONDS + hold + (INSTALL_SECONDS if installs else 0.0))


def _rounds(hosts: int) -> int:
    return max(1, -(-hosts // WORKERS))
