"""Hosts leave the cluster: judged together before any is touched, then one at a time, quorum kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from flows._cluster.cluster_run import ClusterRun
from flows._cluster.departure.look import (
    Departure,
    Kind,
    bareness,
    drained,
    observed,
    order,
    refuse,
    remaining,
    seats,
    steps,
)
from flows._fleet.hosts import closing
from flows._fleet.inventory import inventory
from flows._run.context import Context, FlowResult
from flows._run.journal import Journal
from flows._run.publish import CONTROLLER
from flows._run.selection import roles, servers, who
from model.errors import HostError
from model.report.outcome import Outcome, Status
from tasks import drain, etcd, kubeadm, node_reset

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_LONG = 1500.0


def depart(context: Context, kind: Kind, *, exposed: bool = False) -> FlowResult:
    """
    Take the selected hosts out of the cluster; `reset` also removes everything of Kubernetes from them.

    `exposed`: it was agreed that etcd may be left with a single member. Raises `PlanRefused` before anything is
    touched: without --yes, where quorum would be lost, where others use the host's runtime.
    """
    from remote.kube import open_cluster

    names = servers(context)
    nr = inventory(context.options.inventory)
    planes = [machine.name for machine in context.site.control_planes]
    helper_hosts = tuple(name for name in planes if name not in names)
    journal = Journal(context.options.inventory, "nodes", dry_run=context.options.dry_run)
    cluster_run = ClusterRun(nr, context, journal, names, helper_hosts=helper_hosts)
    with closing(nr), ExitStack() as stack:
        cluster_run.look()
        stack.callback(cluster_run.release)
        if not cluster_run.dry_run:
            cluster_run.lock(who())
        cluster = stack.enter_context(open_cluster(nr, context.site, remaining(cluster_run) or planes))
        leaving = observed(Departure(cluster_run, kind, cluster, exposed=exposed))
        refuse(leaving)
        journal.write(kind, "begun")
        outcomes = [*_warned(leaving), *(outcome for name in order(leaving) for outcome in _depart_one(leaving, name))]
        journal.write(kind, "ended", [outcome.host for outcome in outcomes if outcome.status is Status.CHANGED])
        journal.write(kind, "ended")
    return FlowResult(tuple(outcomes), names, extra=roles(context.site))


def _warned(leaving: Departure) -> Iterator[Outcome]:
    """Say where the cluster could bear no further loss afterwards."""
    if bare := bareness(leaving):
        leaving.cluster_run.context.say(bare)
        step = "add a control plane soon: python -m flows.nodes add"
        yield Outcome(CONTROLLER, "etcd-tolerance", Status.OK, bare, next=step)


def _depart_one(leaving: Departure, name: str) -> tuple[Outcome, ...]:
    """Take one host out; what fails is its outcome, and the next run goes on from there."""
    cluster_run, kind = leaving.cluster_run, leaving.kind
    todo = steps(leaving, name)
    lost = cluster_run.lost.get(name)
    unseen = (_unseen(leaving, name, lost),) if lost is not None else ()
    if not todo:
        return unseen or (Outcome(name, kind, Status.OK, "nothing of it is left in the cluster or on the host"),)
    if cluster_run.dry_run:
        traces = "\n".join(f"- {trace}" for trace in leaving.traces.get(name, ()))
        message = f"would {'; '.join(todo)}"
        return (Outcome(name, kind, Status.DRIFT, message, next="run with --yes", evidence=traces or None), *unseen)
    cluster_run.context.say(f"{name}: {'; '.join(todo)}")
    try:
        gone = _from_cluster(leaving, name)
    except HostError as error:
        return (Outcome(name, kind, Status.FAILED, error.message, next=error.next_step or "run again"), *unseen)
    if lost is not None:
        return (Outcome(name, kind, Status.CHANGED, "; ".join(gone)), *unseen)
    task = node_reset.reset if kind == "reset" else node_reset.leave

    def off_host(host: Host) -> Outcome:
        if cluster_run.facts[name].running:
            kubeadm.await_step(host)
        task(host)
        ending = (
            "nothing of Kubernetes is left on the host" if kind == "reset" else "its containers ended, its data stays"
        )
        return Outcome(name, kind, Status.CHANGED, "; ".join((*gone, ending)), evidence=todo)

    return cluster_run.on_each(kind, f"{kind} {name}", off_host, (name,), _LONG)


def _unseen(leaving: Departure, name: str, lost: Outcome) -> Outcome:
    """A dead host is out of the cluster all the same; what is on it waits for `reset`, which is what it says."""
    if leaving.kind == "remove":
        return Outcome(name, "host", Status.NOT_RUN, f"does not answer ({lost.message}): whatever is on it stays")
    step = f"when it is back: python -m flows.nodes reset {name} --yes"
    return Outcome(
        name, "host", Status.FAILED, f"does not answer ({lost.message}): what is on it is still there", next=step
    )


def _from_cluster(leaving: Departure, name: str) -> list[str]:
    """Let the cluster forget a host; return what was done."""
    gone: list[str] = []
    if leaving.everybody:
        return gone
    cluster_run, cluster = leaving.cluster_run, leaving.cluster
    known = name in (leaving.nodes or ())
    if drained(leaving, name):
        gone.append(f"{drain.drain(cluster, name)} pods evicted")
    if leaving.source and seats(leaving, name):
        addresses = [str(address) for address in cluster_run.site.by_name[name].own]
        members = etcd.forget(cluster_run.host(leaving.source), name, addresses)
        gone += [f"member {member.id:x} removed from etcd" for member in members]
    if known and drain.delete_node(cluster, name):
        gone.append("Node object deleted")
    return gone
