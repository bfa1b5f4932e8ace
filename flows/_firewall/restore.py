"""How a host gets back the firewall it had before the last change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows._firewall.change import (
    WORKERS,
    FirewallSessions,
    PreparedHost,
    applied,
    refuse,
    sessions,
    to_change,
    to_look,
)
from flows._firewall.order import FirewallWork, change_in_order
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import closing, run_on_hosts
from flows._fleet.inventory import inventory
from flows._run.lifecycle import Context, FlowResult
from flows._run.selection import roles, servers
from model.report.outcome import Outcome, Status
from model.ufw.review import SUBJECT, review_return
from tasks.firewall_restore import kept_rules, kept_state, look

if TYPE_CHECKING:
    from nornir.core.inventory import Host


def restore(context: Context, hold: float) -> FlowResult:
    """Bring back, on the selected hosts, what was there before their last confirmed change, under the same guard."""
    names = servers(context)
    nr = inventory(context.options.inventory)
    dry = context.options.dry_run
    with closing(nr), sessions() as kept:
        limit = to_look(len(names))
        looked = run_on_hosts(
            nr, lambda host: _look(host, None if dry else kept), names=names, workers=WORKERS, deadline=limit
        )
        refuse(looked)
        ready = {name: answer for name, answer in looked.items() if isinstance(answer, PreparedHost)}
        context.keep(*(answer.outcome(SUBJECT) for answer in looked.values() if isinstance(answer, HostFailure)))
        work = FirewallWork(
            nr=nr,
            context=context,
            kept=None if dry else kept,
            look=lambda host: _look(host, None if dry else kept),
            change=lambda host, prepared, behind: _bring_back(host, prepared, dry, hold, behind),
            limit=lambda hosts: to_change(hosts, hold),
        )
        outcomes = change_in_order(work, ready)
    return FlowResult(outcomes, names, extra=roles(context.site))


def _look(host: Host, kept: FirewallSessions | None) -> PreparedHost:
    session = kept.begin(host) if kept else None
    facts, last = (session.facts(), session.last()) if session else look(host)
    review = review_return(host.name, kept_state(facts, last), kept_rules(last), facts)
    return PreparedHost(facts=facts, review=review, session=session)


def _bring_back(host: Host, prepared: PreparedHost, dry: bool, hold: float, behind: Host | None) -> tuple[Outcome, ...]:
    plan = prepared.review.plan
    if not plan.change:
        return (Outcome(host.name, SUBJECT, Status.OK, "is as it was before the last change"),)
    if dry or prepared.session is None:
        step = "run without --dry-run"
        return (Outcome(host.name, SUBJECT, Status.DRIFT, "would be brought back", next=step, evidence=plan.diff),)
    return applied(host, prepared.session, plan, prepared.facts, hold, behind)
