"""How a cluster comes back that lost most of its control planes."""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from flows._cluster.cluster_run import ClusterRun, at_work
from flows._cluster.outcomes import would
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from flows._run.context import Context, FlowResult
from flows._run.selection import planes, roles
from model.base import in_url
from model.errors import HostError, KubernetesError, PlanRefused, SelectionError, WaitExpired
from model.kubernetes.quorum import needed
from model.report.outcome import Outcome, Status
from remote.facts import etcd_status
from tasks import drain, etcd_snapshot, node_reset
from tasks.etcd_snapshot import Write

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from remote.kube import Cluster

_LOOK_SECONDS = 90.0
_READY_SECONDS = 240.0
_LONG = 1200.0
_PIECE = 1 << 20
_PAUSE_SECONDS = 0.5


def restore(context: Context, wanted: str) -> FlowResult:
    """
    Restore a snapshot on the one control plane that is left, as a cluster of one member; the others join anew
    afterwards.

    `wanted` names a snapshot that a control plane keeps, or is a file on the controller. Raises `PlanRefused` while
    etcd has its quorum, without --yes, and where several control planes are left and none was chosen.
    """
    names = planes(context)
    every = tuple(machine.name for machine in context.site.control_planes)
    local = Path(wanted) if "/" in wanted else None
    if local is not None and not local.is_file():
        raise SelectionError(f"{wanted}: no such file; `python -m flows.etcd status` lists what control planes keep")
    with at_work(context, "etcd", every, lock=True) as cluster_run:
        survivor = _survivor(cluster_run, names, wanted, local)
        cluster_run.journal.write("restore", "begun")
        outcomes = _restored(cluster_run, survivor, wanted, local)
        cluster_run.journal.write(
            "restore", "ended", [outcome.host for outcome in outcomes if outcome.status is Status.CHANGED]
        )
        cluster_run.journal.write("restore", "ended")
    return FlowResult(outcomes, (survivor,), extra=roles(context.site))


def _survivor(cluster_run: ClusterRun, chosen: tuple[str, ...], wanted: str, local: Path | None) -> str:
    """Choose the control plane that the cluster comes back on, or refuse."""
    states = run_on_hosts(cluster_run.nr, etcd_status.observe, names=cluster_run.members, deadline=_LOOK_SECONDS)
    for name, account in states.items():
        if isinstance(account, HostFailure):
            continue
        voters = [state for state in account if state.seat.voter]
        if sum(state.healthy for state in voters) >= needed(len(voters)):
            raise _refusal(
                f"etcd has its quorum ({name} answers with {len(voters)} members): a restore would throw away "
                "what was written since",
                "nothing is lost; if it must go back in time, reset the other control planes first, then stop "
                "etcd on the last",
            )
    candidates = [name for name in cluster_run.members if name in chosen]
    if local is None:
        candidates = [name for name in candidates if wanted in {kept.name for kept in _kept(cluster_run, name)}]
    if not candidates:
        raise _refusal(
            f"no control plane of the cluster that answers keeps {wanted}", "`python -m flows.etcd status` lists them"
        )
    others = [name for name in cluster_run.members if name != candidates[0]]
    if not cluster_run.context.options.yes and not cluster_run.dry_run:
        also = f", and reset {', '.join(others)}, which would join anew" if others else ""
        raise _refusal(
            f"restore destroys; it would replace etcd's data on {candidates[0]} by {wanted}{also}",
            "look at --dry-run, then run again with --yes",
        )
    return candidates[0]


def _refusal(message: str, step: str) -> PlanRefused:
    return PlanRefused(f"{message}; nothing was changed", next_step=step)


def _kept(cluster_run: ClusterRun, name: str) -> tuple[etcd_snapshot.Snapshot, ...]:
    answer = run_on_hosts(cluster_run.nr, etcd_snapshot.kept, names=(name,), deadline=_LOOK_SECONDS)[name]
    return () if isinstance(answer, HostFailure) else answer


def _restored(cluster_run: ClusterRun, survivor: str, wanted: str, local: Path | None) -> tuple[Outcome, ...]:
    others = [name for name in cluster_run.members if name != survivor]
    silent = [name for name in cluster_run.names if name in cluster_run.lost]
    if cluster_run.dry_run:
        resets = (would(name, "reset", "would be reset, to join anew") for name in others)
        return (would(survivor, "restore", f"etcd would come back from {wanted} with this member alone"), *resets)
    # What they hold belongs to the cluster that was: beside the new one it would be a second truth.
    outcomes = list(cluster_run.on_each("reset", "other control planes", _reset, others, _LONG))
    if any(outcome.status is Status.FAILED for outcome in outcomes):
        return tuple(outcomes)
    outcomes += cluster_run.on_each(
        "restore", "etcd", lambda host: _restore(cluster_run, host, wanted, local), (survivor,), _LONG
    )
    if outcomes[-1].status is Status.CHANGED:
        outcomes.append(_forget(cluster_run, survivor))
    outcomes += [_warning(name, silent) for name in silent]
    return tuple(outcomes)


def _reset(host: Host) -> Outcome:
    node_reset.reset(host)
    return Outcome(
        host.name, "reset", Status.CHANGED, "left the former cluster", next="python -m flows.bootstrap lets it join"
    )


def _warning(name: str, silent: list[str]) -> Outcome:
    step = (
        f"when they are back, before anything else: python -m flows.nodes reset {' '.join(silent)} --yes; then "
        "flows.bootstrap"
    )
    return Outcome(
        name, "former-cluster", Status.DRIFT, "does not answer: what it holds is of the former cluster", next=step
    )


def _restore(cluster_run: ClusterRun, host: Host, wanted: str, local: Path | None) -> Outcome:
    name = wanted if local is None else local.name
    if local is not None:
        _bring(host, local)
    machine = cluster_run.site.by_name[host.name]
    url = f"https://{in_url(machine.own[0])}:2380"
    token = f"matrix-fleet-{cluster_run.context.started:%Y%m%dT%H%M%SZ}"
    cluster_run.context.say(f"{host.name}: restoring {name}")
    etcd_snapshot.stand_alone(host)
    etcd_snapshot.restore(host, name, host.name, url, token)
    message = f"etcd came back from {name} with this member alone; its former data is in /var/lib/etcd/before/{token}"
    return Outcome(host.name, "restore", Status.CHANGED, message, next="python -m flows.bootstrap lets the others join")


def _bring(host: Host, local: Path) -> None:
    with local.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()

    def feed(write: Write) -> None:
        with local.open("rb") as file:
            while piece := file.read(_PIECE):
                write(piece)

    etcd_snapshot.lay_down(host, local.name, digest, feed)


def _forget(cluster_run: ClusterRun, survivor: str) -> Outcome:
    """Wait for the API and let it forget the other control planes: they come anew or not at all."""
    from remote.kube import open_cluster

    own = [machine.name for machine in cluster_run.site.control_planes if machine.name != survivor]
    try:
        with open_cluster(cluster_run.nr, cluster_run.site, (survivor,)) as cluster:
            _await_api(cluster)
            gone = [name for name in own if drain.delete_node(cluster, name)]
    except (KubernetesError, HostError) as error:
        return Outcome(survivor, "api", Status.FAILED, error.message, next="read kubelet's journal there")
    return Outcome(survivor, "api", Status.CHANGED, f"the API answers; forgotten: {', '.join(gone) or 'nobody'}")


def _await_api(cluster: Cluster) -> None:
    """A server that has just started refuses everybody until it has read who may do what."""
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            if not (complaints := cluster.healthy()) and cluster.list("/api/v1/nodes"):
                return
            why = "; ".join(complaints) or "it knows no nodes"
        except KubernetesError as error:
            why = error.message
        if time.monotonic() > deadline:
            raise WaitExpired(
                "", "the API to answer", f"not within {_READY_SECONDS:g} s ({why})", "read kubelet's journal"
            )
        threading.Event().wait(_PAUSE_SECONDS)
