"""How do hosts leave the cluster: judged together before any is touched, then one at a time, quorum kept?"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from flows._context import Context, Ingredients
from flows._firewall import roles, servers, who
from flows._hosts import HostFailure, closing, each, inventory
from flows._journal import Journal
from flows._phases.work import Work
from model.errors import HostError, KubernetesError, PlanRefused
from model.outcome import Outcome, Status
from model.quorum import objection
from remote.facts import etcd_status, remains
from tasks import drain, etcd, kubeadm, node_reset

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from remote.facts.etcd_status import State
    from remote.facts.remains import Trace
    from remote.kube import Cluster

Kind = Literal["remove", "reset"]
_LONG = 1500.0
_LOOK_SECONDS = 120.0


@dataclass
class Departure:
    """
    What was seen before: `traces` of each host that answers, `nodes` the cluster's Node objects among the named (None: the API did not
    answer), `states` of etcd by the account of `source`, a control plane that stays (None: there is none).
    """

    work: Work
    kind: Kind
    cluster: Cluster
    traces: dict[str, tuple[Trace, ...]] = field(default_factory=dict)
    nodes: frozenset[str] | None = None
    source: str | None = None
    states: tuple[State, ...] = ()
    everybody: bool = False


def depart(context: Context, kind: Kind) -> Ingredients:
    """
    Take the selected hosts out of the cluster; `reset` also removes everything of Kubernetes from them.

    Raises `PlanRefused` before anything is touched: without --yes, where quorum would be lost, where others use the host's runtime.
    """
    from remote.kube import open_cluster

    names = servers(context)
    nr = inventory(context.options.inventory)
    planes = [machine.name for machine in context.site.servers if machine.node == "control_plane"]
    beside = tuple(name for name in planes if name not in names)
    journal = Journal(context.options.inventory, "nodes", dry_run=context.options.dry_run)
    work = Work(nr, context, journal, names, beside=beside)
    with closing(nr), ExitStack() as stack:
        work.look()
        stack.callback(work.release)
        if not work.dry_run:
            work.lock(who())
        cluster = stack.enter_context(open_cluster(nr, context.site, _remaining(work) or planes))
        leaving = _observed(Departure(work, kind, cluster))
        _refuse(leaving)
        journal.write(kind, "begun")
        outcomes = [outcome for name in _order(leaving) for outcome in _one(leaving, name)]
        journal.write(kind, "ended", [each.host for each in outcomes if each.status is Status.CHANGED])
        journal.write(kind, "ended")
    return Ingredients(tuple(outcomes), names, extra=roles(context.site))


def _remaining(work: Work) -> tuple[str, ...]:
    """Control planes that stay."""
    return tuple(name for name in work.members if name not in work.names)


def _order(leaving: Departure) -> list[str]:
    """Workers first; a dead control plane before a living one."""
    site, work = leaving.work.site, leaving.work
    return sorted(work.names, key=lambda name: (site.by_name[name].node == "control_plane", name not in work.lost))


def _observed(leaving: Departure) -> Departure:
    work = leaving.work
    work.context.say(f"looking at {', '.join(work.names)}")
    for name, answer in each(work.nr, remains.observe, names=work.hosts, deadline=_LOOK_SECONDS).items():
        if isinstance(answer, HostFailure):
            work.lost[name] = answer.outcome(leaving.kind)
        else:
            leaving.traces[name] = answer
    members = work.members
    leaving.everybody = bool(members) and not _remaining(work) and all(name in work.names for name in work.beside)
    for name in (*_remaining(work), *(name for name in members if name in work.names)):
        states = each(work.nr, etcd_status.observe, names=(name,), deadline=_LOOK_SECONDS)[name]
        if not isinstance(states, HostFailure):
            leaving.states = states
            leaving.source = name if name in _remaining(work) else None
            leaving.everybody = {state.seat.name for state in states} <= set(work.names)
            break
    try:
        known = {node["metadata"]["name"] for node in leaving.cluster.list("/api/v1/nodes")} if members else set()
        leaving.nodes = frozenset(known & set(work.names)) if members else None
    except KubernetesError:
        leaving.nodes = None
    return leaving


def _refuse(leaving: Departure) -> None:
    reasons = list(_reasons(leaving))
    if reasons:
        error = PlanRefused("\n".join(["refused, nothing was changed on any host:", *reasons]))
        error.next_step = "bring silent control planes back, or name every node to end the whole cluster"
        raise error
    if not leaving.work.context.options.yes and not leaving.work.dry_run:
        error = PlanRefused("\n".join([f"{leaving.kind} destroys; it would", *map(_plan, _lines(leaving))]))
        error.next_step = "look at --dry-run, then run again with --yes"
        raise error


def _plan(line: tuple[str, str]) -> str:
    return f"{line[0]}: {line[1]}"


def _reasons(leaving: Departure) -> list[str]:
    work = leaving.work
    found = []
    for name, traces in leaving.traces.items():
        if others := remains.strangers(traces):
            found.append(f"{name}: containers of somebody else run on its containerd ({', '.join(others)})")
    if leaving.everybody and leaving.kind == "reset":
        return found
    words = objection([state.seat for state in leaving.states], work.names)
    if words:
        found.append(words)
    elif not leaving.states and any(work.site.by_name[name].node == "control_plane" for name in _members(leaving)):
        found.append("no member of etcd answers: whether quorum would be kept cannot be told")
    if leaving.kind == "remove" and leaving.nodes is None:
        found.append("no control plane gives access to the Kubernetes API: a node can only be removed from it there")
    return found


def _members(leaving: Departure) -> list[str]:
    facts = leaving.work.facts
    return [name for name in leaving.work.names if name in facts and facts[name].progress != "fresh"]


def _lines(leaving: Departure) -> list[tuple[str, str]]:
    return [(name, "; ".join(_todo(leaving, name)) or "nothing is left to do") for name in _order(leaving)]


def _todo(leaving: Departure, name: str) -> list[str]:
    """Say what is left to do with one host."""
    todo = []
    if not leaving.everybody:
        if name in (leaving.nodes or ()):
            todo.append("drain it and delete its Node object" if name in leaving.traces else "delete its Node object")
        if _seats(leaving, name):
            todo.insert(0, "remove its member from etcd")
    traces = leaving.traces.get(name, ())
    if leaving.kind == "reset" and traces:
        todo.append(f"remove everything of Kubernetes from the host ({remains.counted(traces)})")
    elif leaving.kind == "remove" and _running(traces):
        todo.append("stop kubelet and every container on the host")
    return todo


def _running(traces: Sequence[Trace]) -> list[Trace]:
    return [
        trace
        for trace in traces
        if trace.kind in ("unit", "process") and not trace.what.startswith("matrix-fleet-nodeports")
    ]


def _seats(leaving: Departure, name: str) -> list[State]:
    own = {str(address) for address in leaving.work.site.by_name[name].own}
    return [state for state in leaving.states if state.member.name == name or state.member.address in own]


def _one(leaving: Departure, name: str) -> tuple[Outcome, ...]:
    """Take one host out; what fails is its outcome, and the next run goes on from there."""
    work, kind = leaving.work, leaving.kind
    todo = _todo(leaving, name)
    lost = work.lost.get(name)
    unseen = (_unseen(leaving, name, lost),) if lost is not None else ()
    if not todo:
        return unseen or (Outcome(name, kind, Status.OK, "nothing of it is left in the cluster or on the host"),)
    if work.dry_run:
        traces = "\n".join(f"- {trace}" for trace in leaving.traces.get(name, ()))
        message = f"would {'; '.join(todo)}"
        return (Outcome(name, kind, Status.DRIFT, message, "run with --yes", traces or None), *unseen)
    work.context.say(f"{name}: {'; '.join(todo)}")
    try:
        said = _from_cluster(leaving, name)
    except HostError as error:
        return (Outcome(name, kind, Status.FAILED, error.message, error.next_step or "run again"), *unseen)
    if lost is not None:
        return (Outcome(name, kind, Status.CHANGED, "; ".join(said)), *unseen)
    task = node_reset.reset if kind == "reset" else node_reset.leave

    def off_host(host: Host) -> Outcome:
        if work.facts[name].running:
            kubeadm.await_step(host)
        task(host)
        ending = (
            "nothing of Kubernetes is left on the host" if kind == "reset" else "its containers ended, its data stays"
        )
        return Outcome(name, kind, Status.CHANGED, "; ".join((*said, ending)), evidence=todo)

    return work.on_each(kind, f"{kind} {name}", off_host, (name,), _LONG)


def _unseen(leaving: Departure, name: str, lost: Outcome) -> Outcome:
    """A dead host is out of the cluster all the same; what is on it waits for `reset`, which is what it says."""
    if leaving.kind == "remove":
        return Outcome(name, "host", Status.NOT_RUN, f"does not answer ({lost.message}): whatever is on it stays")
    step = f"when it is back: python -m flows.nodes reset {name} --yes"
    return Outcome(name, "host", Status.FAILED, f"does not answer ({lost.message}): what is on it is still there", step)


def _from_cluster(leaving: Departure, name: str) -> list[str]:
    """Let the cluster forget a host; return what was done."""
    said: list[str] = []
    if leaving.everybody:
        return said
    work, cluster = leaving.work, leaving.cluster
    known = name in (leaving.nodes or ())
    if known and name in leaving.traces:
        count = drain.drain(cluster, name) if _running(leaving.traces[name]) else 0
        said.append(f"{count} pods evicted")
    if leaving.source and _seats(leaving, name):
        addresses = [str(address) for address in work.site.by_name[name].own]
        gone = etcd.forget(work.host(leaving.source), name, addresses)
        said += [f"member {member.id:x} removed from etcd" for member in gone]
    if known and drain.delete_node(cluster, name):
        said.append("Node object deleted")
    return said
