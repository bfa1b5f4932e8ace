"""What did the latest verification of the ports prove, and how long ago?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from model.pods import node_of


@dataclass(frozen=True, slots=True)
class Seen:
    """One cell of the report: ends, plane, verdict, rows, and a line for a person."""

    source: str
    destination: str
    plane: str
    verdict: str
    rows: tuple[str, ...]
    told: str


@dataclass(frozen=True)
class Proof:
    """The run's name, when it ended (UTC), and its cells."""

    run: str
    ended: datetime
    cells: tuple[Seen, ...]


def read_proof(report: Mapping[str, Any]) -> Proof:
    """Read a report of the flow; raises KeyError or ValueError for what is none."""
    return Proof(
        report["run"], datetime.fromisoformat(report["ended"]), tuple(_seen(cell) for cell in report.get("cells") or ())
    )


def _seen(cell: Mapping[str, Any]) -> Seen:
    low, high = cell["port_lo"], cell["port_hi"]
    ports = str(low) if low == high else f"{low}-{high}"
    told = (
        f"{cell['from']} to {cell['to']} ({cell['address']}) {ports}/{cell['protocol']}: "
        f"declared {cell['expected']}, seen {cell['seen']}"
    )
    return Seen(node_of(cell["from"]), node_of(cell["to"]), cell["plane"], cell["verdict"], tuple(cell["rows"]), told)
