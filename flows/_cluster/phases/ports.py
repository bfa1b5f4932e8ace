"""The phase that proves every port of the matrix before anything depends on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

from flows._cluster.cluster_run import ClusterRun
from flows._cluster.outcomes import skipped
from flows._ports.choice import ProbeOptions
from flows._ports.verification import verify
from flows._render.cell_notices import cell_notices
from model.report.outcome import Outcome, Status
from model.report.report import Cell
from model.report.words import CellVerdict, Stage
from model.verify.proof import grouped

_BAD: Mapping[CellVerdict, Status] = {CellVerdict.VIOLATION: Status.DRIFT, CellVerdict.UNPROVEN: Status.UNPROVEN}


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
    if cluster_run.context.options.limit is None:
        # Of some hosts alone it would hide what an earlier one proved of all.
        document = {
            "outcomes": [asdict(one) for one in proven.outcomes],
            "cells": [c.to_json() for c in proven.cells or ()],
        }
        cluster_run.proof = grouped(document)
    cluster_run.context.say(f"{proven.probes or 0:,} probes: {counts} cells")
    return (*proven.outcomes, *_stories(proven.cells or ()))


def _stories(cells: Iterable[Cell]) -> Iterator[Outcome]:
    """Tell of cells that are bad what `verify_ports` tells of them: a report of a bootstrap holds none."""
    for notice in cell_notices(cell.to_json() for cell in cells if cell.verdict in _BAD):
        yield Outcome("controller", "cells", _BAD[CellVerdict(notice.level)], notice.title, next=notice.next)
