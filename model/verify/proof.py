"""What the latest verification of the ports proved, and how long ago."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from model.report.words import CellVerdict
from model.verify.pods import node_of

SCHEMA = "matrix-fleet/proof/1"
# The subject under which a run says that a host's firewall waited to be confirmed.
UNCONFIRMED = "rollback"
# Of what is bad between two ends so many cells are told in words; the others are counted.
_EXAMPLES = 5
_BAD = (CellVerdict.VIOLATION, CellVerdict.UNPROVEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellGroup:
    """
    All cells of one verdict between two ends of a plane: their rows, how many they are, and some bad ones in words.
    """

    source: str
    destination: str
    plane: str
    verdict: str
    rows: tuple[str, ...]
    count: int = 1
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proof:
    """The run's name, when it ended (UTC), and its cells."""

    run: str
    ended: datetime
    cells: tuple[CellGroup, ...]


def summary(report: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return what compliance needs of a report that has cells, or of one of a flow that proved the ports on its way: at
    100 hosts a hundredth of it.
    """
    cells = report.get("proof") or grouped(report)
    return {"schema": SCHEMA, "run": report["run"], "ended": report["ended"], "cells": cells}


def grouped(report: Mapping[str, Any]) -> list[list[Any]]:
    """
    Return the cells of a report by ends, plane and verdict.

    What was seen of a host whose firewall could still be taken back is proven of nothing that lasts.
    """
    waiting = {outcome["host"] for outcome in report.get("outcomes") or () if outcome["subject"] == UNCONFIRMED}
    groups: dict[tuple[str, str, str, str], tuple[dict[str, None], list[str], list[int]]] = {}
    for cell in report.get("cells") or ():
        ends = (node_of(cell["from"]), node_of(cell["to"]))
        passing = waiting.intersection(ends) and cell["verdict"] == CellVerdict.OK
        key = (*ends, cell["plane"], str(CellVerdict.UNPROVEN) if passing else cell["verdict"])
        rows, examples, count = groups.setdefault(key, ({}, [], [0]))
        rows |= dict.fromkeys(cell["rows"])
        count[0] += 1
        if passing and not examples:
            examples.append(
                f"{', '.join(sorted(waiting.intersection(ends)))}: a change of its firewall was not confirmed"
            )
        elif cell["verdict"] in _BAD and len(examples) < _EXAMPLES:
            examples.append(_line(cell))
    return [[*key, list(rows), count[0], examples] for key, (rows, examples, count) in groups.items()]


def read_proof(document: Mapping[str, Any]) -> Proof:
    """Read a summary, or a whole report of the flow; raises KeyError, ValueError or TypeError for what is neither."""
    proven = document if document.get("schema") == SCHEMA else summary(document)
    cells = tuple(
        CellGroup(
            source=source,
            destination=destination,
            plane=plane,
            verdict=verdict,
            rows=tuple(rows),
            count=count,
            examples=tuple(examples),
        )
        for source, destination, plane, verdict, rows, count, examples in proven["cells"]
    )
    return Proof(proven["run"], datetime.fromisoformat(proven["ended"]), cells)


def _line(cell: Mapping[str, Any]) -> str:
    low, high = cell["port_lo"], cell["port_hi"]
    ports = str(low) if low == high else f"{low}-{high}"
    return (
        f"{cell['from']} to {cell['to']} ({cell['address']}) {ports}/{cell['protocol']}: "
        f"declared {cell['expected']}, seen {cell['seen']}"
    )
