"""What reports tell of gates: how each came out when it was last tried, and when that was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from model.report.outcome import Status

# In a report: the gates were tried by the scheduled identity, which cannot see most of them.
SCHEDULED = "scheduled"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRecord:
    """One gate in one run; `ended` is when the run did (UTC)."""

    gate: str
    status: Status
    why: str
    findings: tuple[str, ...]
    run: str
    ended: datetime


def newest(reports: Iterable[Mapping[str, Any]]) -> dict[str, GateRecord]:
    """
    Return each gate as the first report tells of it that tried it; reports come newest first.

    Raises KeyError, ValueError or TypeError for what is no report of gates.
    """
    found: dict[str, GateRecord] = {}
    for report in reports:
        for entry in report.get("gates") or ():
            status = Status(entry["status"])
            # That it was not tried says nothing.
            if status != Status.NOT_RUN and entry["name"] not in found:
                found[entry["name"]] = GateRecord(
                    gate=entry["name"],
                    status=status,
                    why=entry["why"],
                    findings=tuple(entry.get("findings") or ()),
                    run=report["run"],
                    ended=datetime.fromisoformat(report["ended"]),
                )
    return found


def is_scheduled_run(report: Mapping[str, Any]) -> bool:
    """Return whether gates were tried on schedule, and not by a person or a rollout."""
    return report.get(SCHEDULED) is True
