"""A report as programs read it: a mapping of JSON values, and its lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]


def rows_of(report: Document, key: str) -> list[Document]:
    """Return the report's list under `key`; one that is absent or null is empty."""
    return list(report.get(key) or ())


def blamed_host(cell: Document) -> str:
    """Return the end of a cell that a person looks at: its source where that is the culprit, else its destination."""
    return str(cell["from"] if cell.get("culprit") in ("source", "source-egress") else cell["to"])
