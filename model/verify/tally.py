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
        failed = problems.get(name, {})
        for agent, reason in failed.items():
            message = f"the {agent} agent left no record: {reason}"
            yield Outcome(name, agent, Status.UNPROVEN, message, next="look at the host, then run again")
        count = counts.get(name)
        if count:
            yield _summed(name, count)
        elif not failed:
            yield Outcome(name, "ports", Status.OK, "fired at others; no cell of this run leads here")


def _summed(name: str, count: Counter[str]) -> Outcome:
    text = ", ".join(f"{number} {verdict}" for verdict, number in sorted(count.items()))
    status = Status.OK
    if count[CellVerdict.VIOLATION]:
        status = Status.DRIFT
    elif count[CellVerdict.UNPROVEN]:
        status = Status.UNPROVEN
    step = "" if status is Status.OK else "see what is said of its cells"
    return Outcome(name, "ports", status, f"cells this host answers for: {text}", next=step, evidence=dict(count))


def _responsible(cell: Cell) -> str:
    return node_of(cell.source if cell.culprit in (Culprit.SOURCE, Culprit.SOURCE_EGRESS) else cell.destination)
