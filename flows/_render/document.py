"""A report as programs read it: a mapping of JSON values, and its lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]


def rows_of(report: Document, key: str) -> list[Document]:
    """Return the report's list under `key`; one that is absent or null is empty."""
    return list(report.get(key) or ())
