"""A condition of a node, read from the API's object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCondition:
    """One condition: `status` is True, False or Unknown; `since` is when it last changed, empty where not told."""

    kind: str
    status: str
    message: str = ""
    since: str = ""

    def __str__(self) -> str:
        since = f" since {self.since}" if self.since else ""
        return f"{self.kind} is {self.status}{since}{f' ({self.message})' if self.message else ''}"


def read_conditions(status: Mapping[str, Any]) -> tuple[NodeCondition, ...]:
    """Read the conditions of a Node's status."""
    return tuple(
        NodeCondition(
            kind=entry["type"],
            status=str(entry.get("status", "Unknown")),
            message=str(entry.get("message") or entry.get("reason") or ""),
            since=str(entry.get("lastTransitionTime") or ""),
        )
        for entry in status.get("conditions") or ()
    )
