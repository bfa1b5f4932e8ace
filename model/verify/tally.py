"""What the cells of a run come to for each host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from model.report.outcome import Outcome, Status
from model.report.report import Cell
from model.report.words import CellVerdict, Culprit
from model.verify.pods import node_of


def host_outcomes(
    names: Iterable[str], cells: Iterable[Cell], problems: Mapping[str, Mapping[str, str]]
) -> Iterator[Outcome]:
    """
    Yield one outcome a host for the cells it answers for, and one for each of its agents that failed.

    A destination answers for a cell, unless its source is what is wrong.
    """
    counts: dict[str, Counter[str]] = {}
    for cell in cells:
        counts.setdefault(_responsible(cell), Counter())[cell.verdict] += 1
    for name in names:
        for role, reason in problems.get(name, {}).items():
            yield Outcome(
                name,
                role,
                Status.UNPROVEN,
                f"the {role} agent gave no account: {reason}",
                next="look at the host, then run again",
            )
        count = counts.get(name, Counter())
        if not count and not problems.get(name):
            yield Outcome(name, "ports", Status.OK, "fired at others; no cell of this run leads here")
        if not count:
            continue
        text = ", ".join(f"{number} {verdict}" for verdict, number in sorted(count.items()))
        status = (
            Status.DRIFT
            if count[CellVerdict.VIOLATION]
            else Status.UNPROVEN
            if count[CellVerdict.UNPROVEN]
            else Status.OK
        )
        yield Outcome(
            name,
            "ports",
            status,
            f"cells this host answers for: {text}",
            next="" if status is Status.OK else "see the cells",
            evidence=dict(count),
        )


def _responsible(cell: Cell) -> str:
    return node_of(cell.source if cell.culprit in (Culprit.SOURCE, Culprit.SOURCE_EGRESS) else cell.destination)
