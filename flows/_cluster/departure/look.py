"""What there is of hosts that are to leave the cluster, and what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from flows._cluster.cluster_run import ClusterRun
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from model.errors import KubernetesError, PlanRefused
from model.kubernetes.quorum import exposure, objection, sole
from remote.facts import etcd_status, remains
from remote.facts.cluster import observe_nodes

if TYPE_CHECKING:
    from remote.facts.etcd_status import MemberState
    from remote.facts.remains import Trace
    from remote.kube import Cluster

Kind = Literal["remove", "reset"]
_LOOK_SECONDS = 120.0


@dataclass
class Departure:
    """
    What was seen before: `traces` of each host that answers, `nodes` the cluster's Node objects among the named, and
    whether each is ready (None: the API did not answer), `states` of etcd by the account of `source`, a control plane
    that stays (None: there is none). `exposed`: somebody agreed that etcd may be left with a single member.
    """

    cluster_run: ClusterRun
    kind: Kind
    cluster: Cluster
    traces: dict[str, tuple[Trace, ...]] = field(default_factory=dict)
    nodes: dict[str, bool] | None = None
    source: str | None = None
    states: tuple[MemberState, ...] = ()
    everybody: bool = False
    exposed: bool = False


def observed(leaving: Departure) -> Departure:
    cluster_run = leaving.cluster_run
    cluster_run.context.say(f"looking at {', '.join(cluster_run.names)}")
    for name, answer in run_on_hosts(
        cluster_run.nr, remains.observe, names=cluster_run.hosts, deadline=_LOOK_SECONDS
    ).items():
        if isinstance(answer, HostFailure):
            cluster_run.lost[name] = answer.outcome(leaving.kind)
        else:
            leaving.traces[name] = answer
    members = cluster_run.members
    leaving.everybody = (
        bool(members)
        and not remaining(cluster_run)
        and all(name in cluster_run.names for name in cluster_run.helper_hosts)
    )
    for name in (*remaining(cluster_run), *(name for name in members if name in cluster_run.names)):
        states = run_on_hosts(cluster_run.nr, etcd_status.observe, names=(name,), deadline=_LOOK_SECONDS)[name]
        if not isinstance(states, HostFailure):
            leaving.states = states
            leaving.source = name if name in remaining(cluster_run) else None
            leaving.everybody = {state.seat.name for state in states} <= set(cluster_run.names)
            break
    try:
        if members:
            known = observe_nodes(leaving.cluster)
            leaving.nodes = {node.name: node.ready for node in known if node.name in cluster_run.names}
    except KubernetesError:
        leaving.nodes = None
    return leaving


def remaining(cluster_run: ClusterRun) -> tuple[str, ...]:
    """Control planes that stay."""
    return tuple(name for name in cluster_run.members if name not in cluster_run.names)


def order(leaving: Departure) -> list[str]:
    """Workers first; a dead control plane before a living one."""
    site, cluster_run = leaving.cluster_run.site, leaving.cluster_run
    return sorted(
        cluster_run.names, key=lambda name: (site.by_name[name].node == "control_plane", name not in cluster_run.lost)
    )


def refuse(leaving: Departure) -> None:
    reasons = list(_reasons(leaving))
    if reasons:
        raise PlanRefused(
            "\n".join(["refused, nothing was changed on any host:", *reasons]),
            next_step="bring silent control planes back, or name every node to end the whole cluster",
        )
    bare = bareness(leaving)
    if bare and not leaving.exposed and sole([state.seat for state in leaving.states], leaving.cluster_run.names):
        raise PlanRefused(
            f"refused, nothing was changed on any host:\n{bare}",
            next_step="add control planes first (python -m flows.nodes add), or agree to it with --without-tolerance",
        )
    if not leaving.cluster_run.context.options.yes and not leaving.cluster_run.dry_run:
        raise PlanRefused(
            "\n".join([f"{leaving.kind} destroys; it would", *map(_plan, _lines(leaving)), *([bare] if bare else [])]),
            next_step="look at --dry-run, then run again with --yes",
        )


def bareness(leaving: Departure) -> str:
    """Say that etcd has no member to spare afterwards; empty where it has, or where the whole cluster ends."""
    if leaving.everybody:
        return ""
    return exposure([state.seat for state in leaving.states], leaving.cluster_run.names)


def _plan(line: tuple[str, str]) -> str:
    return f"{line[0]}: {line[1]}"


def _reasons(leaving: Departure) -> list[str]:
    cluster_run = leaving.cluster_run
    reasons = []
    for name, traces in leaving.traces.items():
        if others := remains.foreign_namespaces(traces):
            reasons.append(f"{name}: containers of somebody else run on its containerd ({', '.join(others)})")
    if leaving.everybody and leaving.kind == "reset":
        return reasons
    words = objection([state.seat for state in leaving.states], cluster_run.names)
    if words:
        reasons.append(words)
    elif not leaving.states and any(
        cluster_run.site.by_name[name].node == "control_plane" for name in _members(leaving)
    ):
        reasons.append("no member of etcd answers: whether quorum would be kept cannot be known")
    if leaving.kind == "remove" and leaving.nodes is None:
        reasons.append("no control plane gives access to the Kubernetes API: a node can only be removed from it there")
    return reasons


def _members(leaving: Departure) -> list[str]:
    facts = leaving.cluster_run.facts
    return [name for name in leaving.cluster_run.names if name in facts and facts[name].progress != "fresh"]


def _lines(leaving: Departure) -> list[tuple[str, str]]:
    return [(name, "; ".join(steps(leaving, name)) or "nothing is left to do") for name in order(leaving)]


def steps(leaving: Departure, name: str) -> list[str]:
    """Say what is left to do with one host."""
    left = []
    if not leaving.everybody:
        if name in (leaving.nodes or ()):
            left.append("drain it and delete its Node object" if drained(leaving, name) else "delete its Node object")
        if seats(leaving, name):
            left.insert(0, "remove its member from etcd")
    traces = leaving.traces.get(name, ())
    if leaving.kind == "reset" and traces:
        left.append(f"remove everything of Kubernetes from the host ({remains.counted(traces)})")
    elif leaving.kind == "remove" and remains.running(traces):
        left.append("stop kubelet and every container on the host")
    return left


def drained(leaving: Departure, name: str) -> bool:
    """Return whether pods can be moved from a host: where no kubelet listens to this cluster, none would ever end."""
    return (leaving.nodes or {}).get(name, False) and bool(remains.running(leaving.traces.get(name, ())))


def seats(leaving: Departure, name: str) -> list[MemberState]:
    own = {str(address) for address in leaving.cluster_run.site.by_name[name].own}
    return [state for state in leaving.states if state.member.name == name or state.member.address in own]
