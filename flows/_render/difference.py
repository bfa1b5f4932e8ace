"""What is new, gone or changed between two runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flows._render.document import Document, rows_of
from flows._render.words import counted, ports
from model.report.measures import statement

Table = dict[str, Document]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing of two reports: `change` is new, gone or changed; before and after say how it was judged."""

    kind: str
    change: str
    what: str
    before: str = ""
    after: str = ""

    def to_json(self) -> dict[str, str]:
        """Return it with `new`, `gone` or `changed` as its change."""
        return {"kind": self.kind, "change": self.change, "what": self.what, "before": self.before, "after": self.after}

    def __str__(self) -> str:
        between = {"new": self.after, "gone": f"was {self.before}"}.get(self.change, f"{self.before} -> {self.after}")
        return f"{self.change:<8}{self.what}: {between}"


def difference(before: Document, after: Document) -> list[Change]:
    """
    Compare outcomes by host and subject, cells by pair, address and ports, lint findings by rule and place.

    Times, also those in messages, and counts of packets differ from run to run and are not compared.
    """
    return [
        *_compared("outcome", _outcomes(before), _outcomes(after), _outcome_in_words),
        *_compared("cell", _cells(before), _cells(after), _cell_in_words),
        *_compared("finding", _findings(before), _findings(after), _finding_in_words),
    ]


def _compared(kind: str, before: Table, after: Table, in_words: Callable[[Document], str]) -> list[Change]:
    changes = []
    for what in (*before, *(what for what in after if what not in before)):
        was = in_words(before[what]) if what in before else ""
        now = in_words(after[what]) if what in after else ""
        if statement(was) != statement(now):
            change = "new" if not was else "gone" if not now else "changed"
            changes.append(Change(kind, change, what, was, now))
    return changes


def _outcomes(report: Document) -> Table:
    table: Table = {}
    for outcome in rows_of(report, "outcomes"):
        _put(table, f"{outcome['host']} {outcome['subject']}", outcome)
    return table


def _outcome_in_words(outcome: Document) -> str:
    return f"{outcome['status']} ({outcome['message']})" if outcome["message"] else str(outcome["status"])


def _cells(report: Document) -> Table:
    table: Table = {}
    for cell in rows_of(report, "cells"):
        stretch = ports(cell["port_lo"], cell["port_hi"], cell["protocol"])
        _put(table, f"{cell['from']} -> {cell['to']} {cell['address']} {stretch} {cell['plane']}", cell)
    return table


def _cell_in_words(cell: Document) -> str:
    culprit = f" by {cell['culprit']}" if cell["culprit"] else ""
    return f"{cell['verdict']}{culprit}, expected {cell['expected']}, seen {cell['seen']}"


def _findings(report: Document) -> Table:
    table: Table = {}
    for finding in rows_of(report, "findings"):
        _put(table, f"{finding['rule']} {finding['file']} {finding['path']} {finding['value']}".rstrip(), finding)
    return table


def _finding_in_words(finding: Document) -> str:
    return str(finding["severity"])


def _put(table: Table, key: str, value: Document) -> None:
    """Keep things with the same name apart by numbering them."""
    number, name = 1, key
    while name in table:
        number += 1
        name = f"{key} ({number})"
    table[name] = value


def folded(changes: list[Change]) -> list[str]:
    """Return lines for a person: outcomes and findings each, cells that changed alike counted with examples."""
    lines = [str(change) for change in changes if change.kind != "cell"]
    groups: dict[tuple[str, str, str], list[str]] = {}
    for change in changes:
        if change.kind == "cell":
            groups.setdefault((change.change, change.before, change.after), []).append(change.what)
    for (kind, before, after), cells in groups.items():
        together = Change("cell", kind, counted(len(cells), "cell"), before, after)
        lines += [str(together), *(f"        {cell}" for cell in cells[:5])]
        if len(cells) > 6:
            lines.append(f"        and {len(cells) - 5} more")
        elif len(cells) == 6:
            lines.append(f"        {cells[5]}")
    return lines
