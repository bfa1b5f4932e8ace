"""Snapshots of etcd, verified, and kept where the loss of one control plane does not cost them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from flows._cluster.cluster_run import ClusterRun, at_work
from flows._cluster.outcomes import would
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from flows._run.context import Context, FlowResult
from flows._run.selection import planes, roles
from model.errors import HostError, SelectionError
from model.report.outcome import Outcome, Status
from remote.facts import etcd_status
from tasks import etcd_snapshot

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_LOOK_SECONDS = 90.0
_SECRETS = (
    "it holds every object of the cluster; Secrets in it are encrypted by the key in /etc/kubernetes of the "
    "control planes"
)


def snapshot(context: Context, output: Path | None) -> FlowResult:
    """
    Take one on a healthy member, copy it to another control plane, and to `output` on the controller where that is
    said.

    Raises `SelectionError` for an output that exists or cannot be written.
    """
    names = planes(context)
    if output is not None and (output.exists() or not output.parent.is_dir()):
        raise SelectionError(
            f"--output {output}: {'is there already' if output.exists() else 'its folder is not there'}"
        )
    with at_work(context, "etcd", names, lock=True) as cluster_run:
        cluster_run.journal.write("snapshot", "begun")
        context.keep(*cluster_run.lost.values())
        outcomes = _taken(cluster_run, output)
        cluster_run.journal.write(
            "snapshot", "ended", [outcome.host for outcome in outcomes if outcome.status is Status.CHANGED]
        )
        cluster_run.journal.write("snapshot", "ended")
    return FlowResult(outcomes, names, extra=roles(context.site))


def _taken(cluster_run: ClusterRun, output: Path | None) -> tuple[Outcome, ...]:
    source = _healthy(cluster_run)
    if source is None:
        step = "bring members back; a restore needs an older snapshot"
        return (Outcome("controller", "snapshot", Status.FAILED, "no member of etcd is healthy", next=step),)
    name = f"{cluster_run.context.started:%Y%m%dT%H%M%SZ}.db"
    others = [member for member in cluster_run.members if member != source]
    if cluster_run.dry_run:
        copy = f" and copied to {', '.join(others)}" if others else ""
        return (would(source, "snapshot", f"a snapshot would be taken{copy}, {etcd_snapshot.FOLDER}/{name}"),)
    try:
        taken = etcd_snapshot.take(cluster_run.host(source), name)
    except HostError as error:
        return (Outcome(source, "snapshot", Status.FAILED, error.message, next=error.next_step),)
    message = f"{name}: {taken.size} bytes, {taken.keys} keys, revision {taken.revision}; {_SECRETS}"
    evidence = {"name": name, "sha256": taken.sha256, "size": taken.size, "revision": taken.revision}
    outcomes = [
        Outcome(source, "snapshot", Status.CHANGED, message, next="", evidence=evidence),
        *_copied(cluster_run, source, others, taken),
    ]
    if output is not None:
        outcomes.append(_brought(cluster_run, source, taken, output))
    return tuple(outcomes)


def _healthy(cluster_run: ClusterRun) -> str | None:
    """Choose a member that answers; one that does not lead has more time."""
    for name in cluster_run.members:
        states = run_on_hosts(cluster_run.nr, etcd_status.observe, names=(name,), deadline=_LOOK_SECONDS)[name]
        if isinstance(states, HostFailure):
            continue
        healthy = {state.seat.name: state.leads for state in states if state.healthy and state.seat.voter}
        candidates = sorted((leads, other) for other, leads in healthy.items() if other in cluster_run.members)
        if candidates:
            return candidates[0][1]
    return None


def _copied(cluster_run: ClusterRun, source: str, others: list[str], taken: etcd_snapshot.Taken) -> tuple[Outcome, ...]:
    """Copy it to every other control plane: whichever of them is left can be the one that the cluster comes back on."""
    if not others:
        step = "bring it to the controller with --output"
        return (Outcome(source, "snapshot-copy", Status.DRIFT, "no other control plane could keep a copy", next=step),)

    def copy(host: Host) -> Outcome:
        etcd_snapshot.lay_down(
            host,
            taken.name,
            taken.sha256,
            lambda write: etcd_snapshot.fetch(cluster_run.host(source), taken.name, taken.size, write),
        )
        return Outcome(host.name, "snapshot-copy", Status.CHANGED, f"keeps a copy of {taken.name}")

    return cluster_run.on_each("snapshot-copy", "copying the snapshot", copy, others, etcd_snapshot.SECONDS)


def _brought(cluster_run: ClusterRun, source: str, taken: etcd_snapshot.Taken, output: Path) -> Outcome:
    draft = output.with_name(f".{output.name}.part")
    try:
        handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w+b") as file:
            etcd_snapshot.fetch(cluster_run.host(source), taken.name, taken.size, file.write)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            if hashlib.file_digest(file, "sha256").hexdigest() != taken.sha256:
                raise HostError(source, f"{taken.name} arrived damaged", "run again")
        draft.rename(output)
    except (OSError, HostError) as error:
        draft.unlink(missing_ok=True)
        return Outcome("controller", "snapshot-output", Status.FAILED, f"{output}: {error}", next="look at the disk")
    return Outcome("controller", "snapshot-output", Status.CHANGED, f"{output} (0600): keep it as you keep secrets")
