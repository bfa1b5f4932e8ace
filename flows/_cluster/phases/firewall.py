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


def run(work: ClusterRun) -> tuple[Outcome, ...]:
    """Apply the host firewall on every host that is in, then the gate; a host where that failed goes no further."""
    outcomes = apply(work.nr, work.context, work.hosts, purge=work.purge, hold=0.0)
    for outcome in outcomes:
        if outcome.status is Status.FAILED and outcome.host in work.names:
            work.lost[outcome.host] = outcome
    return (*outcomes, *work.on_each("node-ports", "gate of node ports", _gate(work), work.nodes, 2 * SECONDS))


def _gate(work: ClusterRun) -> Callable[[Host], Outcome]:
    """
    Ports of Services are translated before ufw sees them: they are kept to the matrix's sources before kube-proxy
    comes.
    """

    def task(host: Host) -> Outcome:
        lines = nodeports.enforce(host, work.site, work.site.by_name[host.name], dry_run=work.dry_run)
        told = Outcome(host.name, "node-ports", Status.OK, "gate of node ports: as declared")
        if not lines:
            return told
        found = replace(told, message="gate of node ports: changed", status=Status.CHANGED, evidence="\n".join(lines))
        if not work.dry_run:
            return found
        return replace(
            found, status=Status.DRIFT, message="gate of node ports: would be changed", next="run without --dry-run"
        )

    return task
