"""Every host gets the firewall that the port matrix says: all looked at, all reviewed, then each changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows._firewall.change import (
    WORKERS,
    PreparedHost,
    carry_out,
    prepare,
    refuse,
    sessions,
    to_change,
    to_look,
)
from flows._firewall.order import FirewallWork, change_in_order
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import closing, run_on_hosts
from flows._fleet.inventory import inventory
from flows._run.context import Context, FlowResult
from flows._run.selection import roles, servers
from model.report.outcome import Outcome
from model.ufw.review import SUBJECT

if TYPE_CHECKING:
    from nornir.core import Nornir


def apply_firewall(context: Context, *, purge: bool, hold: float) -> FlowResult:
    """
    Bring the firewall of every selected server to what the matrix says: the whole work of `flows.firewall`.

    Raises as `apply` does, and `SelectionError` where no server is selected.
    """
    names = servers(context)
    nr = inventory(context.options.inventory)
    with closing(nr):
        outcomes = apply(nr, context, names, purge=purge, hold=hold)
    return FlowResult(outcomes, names, extra=roles(context.site))


def apply(nr: Nornir, context: Context, names: Sequence[str], *, purge: bool, hold: float) -> tuple[Outcome, ...]:
    """
    Change what has to be changed on the named hosts; those that could not be looked at are kept as failed.

    Raises `PlanRefused` and `LockHeld` before anything is touched.
    """
    site = context.site
    with sessions() as open_ones:
        kept = None if context.options.dry_run else open_ones
        with context.awaiting(names, "looking at every host") as watch:
            looked = run_on_hosts(
                nr,
                lambda host: prepare(site, host, kept),
                names=names,
                workers=WORKERS,
                watch=watch,
                deadline=to_look(len(names)),
            )
        refuse(looked)
        ready = {name: answer for name, answer in looked.items() if isinstance(answer, PreparedHost)}
        failed = [answer.outcome(SUBJECT) for answer in looked.values() if isinstance(answer, HostFailure)]
        context.keep(*failed)
        installs = any(answer.review.plan.install for answer in ready.values())
        work = FirewallWork(
            nr=nr,
            context=context,
            kept=kept,
            look=lambda host: prepare(site, host, kept),
            change=lambda host, prepared, behind: carry_out(
                site, host, prepared, purge=purge, hold=hold, behind=behind
            ),
            limit=lambda hosts: to_change(hosts, hold, installs=installs),
        )
        return change_in_order(work, ready)
