"""Phases that make hosts members of the cluster: the first, the other control planes one by one, workers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows._cluster.cluster_run import ClusterRun
from flows._cluster.outcomes import would
from model.errors import HostError
from model.report.outcome import Outcome, Status
from tasks import etcd, invitation, kubeadm, kubeadm_config, secret
from tasks.hoststate import enforce

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_LONG = 1000.0
_MEMBER = "is a member of the cluster"


def init(cluster_run: ClusterRun) -> tuple[Outcome, ...]:
    """Create the cluster on the first control plane that is in, unless one of them is a member already."""
    if cluster_run.members:
        return tuple(Outcome(name, "init", Status.OK, "the cluster exists") for name in cluster_run.members[:1])
    name = next(iter(cluster_run.planes), "")
    elsewhere = sorted(cluster_run.journal.hosts("init", "ended") & set(cluster_run.lost))
    if elsewhere or not name:
        lost = (
            ", ".join(elsewhere or [name for name in cluster_run.names if name in cluster_run.lost])
            or "no control plane"
        )
        message = f"no control plane that could hold the cluster answers ({lost})"
        return (Outcome("controller", "init", Status.FAILED, message, next="bring it back, then run again"),)
    return cluster_run.on_each("init", "first control plane", lambda host: _init(cluster_run, host), (name,), _LONG)


def control_planes(cluster_run: ClusterRun) -> tuple[Outcome, ...]:
    """Let the other control planes join, one at a time: two members that change at once can cost etcd its quorum."""

    def task(host: Host) -> Outcome:
        return _join(cluster_run, host, "control-planes")

    outcomes: list[Outcome] = []
    for name in cluster_run.planes:
        outcomes += cluster_run.on_each("control-planes", f"control plane {name}", task, (name,), _LONG)
    return tuple(outcomes)


def workers(cluster_run: ClusterRun) -> tuple[Outcome, ...]:
    """Let all other nodes join at once."""
    names = tuple(name for name in cluster_run.nodes if name not in cluster_run.planes)
    return cluster_run.on_each("workers", "workers", lambda host: _join(cluster_run, host, "workers"), names, _LONG)


def _init(cluster_run: ClusterRun, host: Host) -> Outcome:
    if not _ready(cluster_run, host):
        return Outcome(host.name, "init", Status.CHANGED, "an earlier run's step was waited for; the cluster exists")
    if cluster_run.dry_run:
        return would(host.name, "init", "kubeadm init would be run")
    machine = cluster_run.site.by_name[host.name]
    encryption = secret.shared([host], kubeadm_config.ENCRYPTION, kubeadm_config.ENCRYPTION_BYTES)
    enforce(host, kubeadm_config.before_control_plane(encryption), dry_run=False)
    kubeadm.run_step(host, "init", kubeadm_config.init_config(cluster_run.site, machine, kubeadm.version(host)))
    return _member(cluster_run, host, "init", "created the cluster")


def _join(cluster_run: ClusterRun, host: Host, subject: str) -> Outcome:
    if cluster_run.facts[host.name].progress == "member":
        return Outcome(host.name, subject, Status.OK, _MEMBER)
    if not _ready(cluster_run, host):
        return Outcome(host.name, subject, Status.CHANGED, "an earlier run's step was waited for; it has joined")
    if cluster_run.dry_run:
        return would(host.name, subject, "kubeadm join would be run")
    if not cluster_run.members:
        raise HostError(host.name, "there is no cluster to join: no control plane in it answers", "bring one back")
    source = cluster_run.host(cluster_run.members[0])
    machine = cluster_run.site.by_name[host.name]
    if machine.node == "control_plane":
        etcd.forget(source, host.name, [str(address) for address in machine.own])
        encryption = secret.shared([source, host], kubeadm_config.ENCRYPTION, kubeadm_config.ENCRYPTION_BYTES)
        enforce(host, kubeadm_config.before_control_plane(encryption), dry_run=False)
        invitation.hand_over_keys(source, host)
    invited = invitation.invite(source)
    try:
        kubeadm.run_step(host, "join", kubeadm_config.join_config(cluster_run.site, machine, invited))
    finally:
        invitation.revoke(source, invited)
    return _member(cluster_run, host, subject, "joined the cluster")


def _remains(cluster_run: ClusterRun, host: str) -> HostError:
    """Return what is said of a host that holds a cluster's files and is no member: of which, its authority tells."""
    held = cluster_run.facts[host].authority
    known = {cluster_run.facts[name].authority for name in cluster_run.members} - {""}
    if held in known:
        step = f"python -m flows.nodes reset {host} --yes, then run again"
        return HostError(host, "was a node of this cluster, has left it, and still has what it had of it", step)
    which = "another cluster" if held and known else "a cluster, nobody can tell of which,"
    return HostError(host, f"remains of {which} are there", "look at /etc/kubernetes; reset it if it may go")


def _ready(cluster_run: ClusterRun, host: Host) -> bool:
    """
    Clear the way for a step; False where one that an earlier run began has meanwhile succeeded.

    Raises `HostError` for a host that belongs to a cluster which no run of ours put it into.
    """
    facts = cluster_run.facts[host.name]
    if facts.progress == "foreign":
        raise _remains(cluster_run, host.name)
    if cluster_run.dry_run:
        return True
    if facts.progress == "running":
        kubeadm.await_step(host)
        facts = cluster_run.look_again(host.name)
    if facts.progress == "running":
        raise HostError(
            host.name, "an earlier run's step is still under way there", f"wait for it: tail -f {kubeadm.LOG}"
        )
    if facts.progress == "member":
        return False
    if facts.progress == "broken":
        kubeadm.reset(host)
    return True


def _member(cluster_run: ClusterRun, host: Host, subject: str, message: str) -> Outcome:
    if cluster_run.look_again(host.name).progress != "member":
        raise HostError(host.name, "kubeadm says that it succeeded, and the host is no member", f"read {kubeadm.LOG}")
    return Outcome(host.name, subject, Status.CHANGED, message)
