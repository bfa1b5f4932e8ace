"""How one host comes into a cluster that stands, no other host being changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as renew

from flows._cluster.bootstrap import bootstrap
from flows._cluster.departure.node_removal import depart
from flows._cluster.plan import PHASES
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import closing, run_on_hosts
from flows._fleet.inventory import inventory
from flows._run.context import Context, FlowResult
from flows._run.selection import roles, servers
from model.errors import PlanRefused, SelectionError
from model.report.outcome import Status
from model.ufw.plan import plan
from remote.facts.firewall import observe

_LOOK_SECONDS = 60.0


def arrive(context: Context) -> FlowResult:
    """
    Run the phases of bootstrap for the selected hosts alone; the control planes let them in.

    Raises `PlanRefused` where other hosts' firewalls do not know them yet.
    """
    names = servers(context)
    for name in names:
        if context.site.by_name[name].node is None:
            raise SelectionError(f"{name}: its roles make it no node of the cluster; correct hosts.yaml")
    _admitted(context, names)
    return bootstrap(context, PHASES, purge=False)


def replace(context: Context, old: str, new: str, *, exposed: bool = False) -> FlowResult:
    """
    Put one host in another's place: the new one comes first, unless the old one is dead and only counts against quorum.

    Raises `PlanRefused` without --yes, `SelectionError` where they differ in what they are to be.
    """
    machines = context.site.by_name
    if machines[old].node != machines[new].node or machines[new].node is None:
        raise SelectionError(f"{new} is to be {machines[new].node or 'no node'}, {old} is {machines[old].node}")
    if not context.options.yes and not context.options.dry_run:
        raise PlanRefused(
            f"replace destroys; it would add {new} and remove {old}",
            next_step="look at --dry-run, then run again with --yes",
        )
    _admitted(context, (new,))
    coming, going = renew(context, hosts=(new,)), renew(context, hosts=(old,))
    steps: list[Callable[[], FlowResult]] = [lambda: arrive(coming), lambda: depart(going, "remove", exposed=exposed)]
    if not _answers(context, old):
        steps.reverse()
    results: list[FlowResult] = []
    for step in steps:
        kept = len(context.kept)
        results.append(step())
        outcomes = (*context.kept[kept:], *results[-1].outcomes)
        # Where the first half failed, what is there still does the work.
        if any(outcome.status in (Status.FAILED, Status.MISSING) and outcome.subject != "host" for outcome in outcomes):
            break
    every = tuple(outcome for result in results for outcome in result.outcomes)
    return FlowResult(every, context.hosts, extra=roles(context.site))


def _answers(context: Context, name: str) -> bool:
    from remote.shell import run

    nr = inventory(context.options.inventory)
    with closing(nr):
        return not isinstance(run_on_hosts(nr, lambda host: run(host, ("true",)), names=(name,))[name], HostFailure)


def _admitted(context: Context, names: tuple[str, ...]) -> None:
    """Refuse where a host that stands would keep one that comes out: changing it is not what was asked for."""
    site = context.site
    others = tuple(machine.name for machine in site.servers if machine.name not in names)
    nr = inventory(context.options.inventory)
    with closing(nr):
        # How its files are spelled is no difference: the host itself says what they hold.
        seen = run_on_hosts(nr, lambda host: observe(host, boot=True), names=others, deadline=_LOOK_SECONDS)
    behind = [
        name
        for name, facts in seen.items()
        if not isinstance(facts, HostFailure) and facts.installed and plan(site, site.by_name[name], facts).change
    ]
    if behind:
        raise PlanRefused(
            f"the firewalls of {', '.join(behind)} do not hold what the port matrix says with {', '.join(names)} in it",
            next_step="run `python -m flows.firewall` first, then again",
        )
