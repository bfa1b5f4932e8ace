"""
The phase that gives every host the firewall that follows from the port matrix, and nodes a gate before ports of
Services.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from flows._cluster.cluster_run import ClusterRun
from flows._firewall.apply import apply
from model.report.outcome import Outcome, Status
from tasks import nodeports
from tasks.hoststate import SECONDS

if TYPE_CHECKING:
    from nornir.core.inventory import Host


def run(cluster_run: ClusterRun) -> tuple[Outcome, ...]:
    """Apply the host firewall on every host that is in, then the gate; a host where that failed goes no further."""
    outcomes = apply(cluster_run.nr, cluster_run.context, cluster_run.hosts, purge=cluster_run.purge, hold=0.0)
    for outcome in outcomes:
        if outcome.status is Status.FAILED and outcome.host in cluster_run.names:
            cluster_run.lost[outcome.host] = outcome
    return (
        *outcomes,
        *cluster_run.on_each("node-ports", "gate of node ports", _gate(cluster_run), cluster_run.nodes, 2 * SECONDS),
    )


def _gate(cluster_run: ClusterRun) -> Callable[[Host], Outcome]:
    """
    Ports of Services are translated before ufw sees them: they are kept to the matrix's sources before kube-proxy
    comes.
    """

    def task(host: Host) -> Outcome:
        lines = nodeports.enforce(
            host, cluster_run.site, cluster_run.site.by_name[host.name], dry_run=cluster_run.dry_run
        )
        unchanged = Outcome(host.name, "node-ports", Status.OK, "gate of node ports: as declared")
        if not lines:
            return unchanged
        changed = replace(
            unchanged, message="gate of node ports: changed", status=Status.CHANGED, evidence="\n".join(lines)
        )
        if not cluster_run.dry_run:
            return changed
        return replace(
            changed, status=Status.DRIFT, message="gate of node ports: would be changed", next="run without --dry-run"
        )

    return task
