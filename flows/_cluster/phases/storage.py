"""The phase that gives pods volumes on disks that the site declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows._cluster.cluster_run import ClusterRun
from flows._cluster.outcomes import skipped
from flows._cluster.phases.network import NO_CLUSTER, objects
from model.report.outcome import Outcome, Status
from tasks import storage
from tasks.hoststate import SECONDS

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_SUBJECT = "storage"


def run(cluster_run: ClusterRun) -> tuple[Outcome, ...]:
    """
    Mount declared disks on their hosts, formatting none without --yes, and declare class and volumes in the cluster.
    """
    consent = cluster_run.context.options.yes

    def task(host: Host) -> Outcome:
        machine = cluster_run.site.by_name[host.name]
        prepared = storage.prepare(host, cluster_run.site, machine, dry_run=cluster_run.dry_run, consent=consent)
        return _outcome(host.name, prepared, cluster_run.dry_run)

    hosts = cluster_run.on_each(_SUBJECT, "volumes", task, cluster_run.nodes, 2 * SECONDS)
    if not cluster_run.members:
        return (*hosts, *skipped(("controller",), _SUBJECT, NO_CLUSTER))
    from remote.kube import open_cluster

    with open_cluster(cluster_run.nr, cluster_run.site, cluster_run.members) as cluster:
        lines = storage.enforce(cluster, cluster_run.site, dry_run=cluster_run.dry_run)
    return (*hosts, objects(_SUBJECT, "storage class and volumes", lines, cluster_run.dry_run))


def _outcome(host: str, prepared: storage.PreparedVolumes, dry_run: bool) -> Outcome:
    evidence = "\n".join((*prepared.lines, *prepared.refused, *prepared.waiting))
    if prepared.refused:
        message = f"volumes: {'; '.join(prepared.refused)}"
        return Outcome(
            host,
            _SUBJECT,
            Status.DRIFT,
            message,
            next="correct hosts.yaml, or empty the disk yourself",
            evidence=evidence,
        )
    if prepared.waiting:
        message = f"volumes: empty disks wait to be formatted: {'; '.join(prepared.waiting)}"
        return Outcome(host, _SUBJECT, Status.DRIFT, message, next="run with --yes to format them", evidence=evidence)
    if not prepared.lines:
        return Outcome(host, _SUBJECT, Status.OK, "volumes: as declared")
    if dry_run:
        return Outcome(
            host, _SUBJECT, Status.DRIFT, "volumes: would be changed", next="run without --dry-run", evidence=evidence
        )
    return Outcome(host, _SUBJECT, Status.CHANGED, "volumes: changed", next="", evidence=evidence)
