"""The phase that proves every port of the matrix before anything depends on it."""

from __future__ import annotations

from collections import Counter

from flows._cluster.cluster_run import ClusterRun
from flows._cluster.outcomes import skipped
from flows._ports.choice import ProbeOptions
from flows._ports.verification import verify
from model.report.outcome import Outcome
from model.report.words import Stage


def run(cluster_run: ClusterRun) -> tuple[Outcome, ...]:
    """
    Verify with packets, unless every node is a member already: then the last phase does it once, on the running
    cluster.
    """
    if cluster_run.nodes and all(cluster_run.facts[name].progress == "member" for name in cluster_run.nodes):
        return skipped(
            ("controller",), "ports", "every node is in the cluster: proven at the end, with everything running"
        )
    if cluster_run.dry_run:
        return skipped(("controller",), "ports", "a dry run sends no packets; `python -m flows.verify_ports` does")
    return proof(cluster_run, "auto")


def proof(cluster_run: ClusterRun, stage: str) -> tuple[Outcome, ...]:
    """Verify the hosts that are in, and return the outcomes with the counts of what was proven."""
    proven = verify(cluster_run.nr, cluster_run.context, ProbeOptions(stage=Stage(stage)))
    verdicts = Counter(cell.verdict for cell in proven.cells or ())
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    cluster_run.context.say(f"{proven.probes or 0:,} probes: {counts} cells")
    return proven.outcomes
