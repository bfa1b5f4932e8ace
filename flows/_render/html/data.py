"""What the page needs of a report, small enough for a million cells."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from flows._render.coverage import coverage, item_kinds
from flows._render.document import Document, rows_of
from flows._render.notices import notices
from flows._render.plan_line import plan_line
from flows._render.verdict import headline, in_short, partly, verdict
from flows._render.words import plain, printable
from model.report.evidence import diff_lines

_EVIDENCE_CHARACTERS = 20_000


class Words:
    """Texts by number, so that each is stored once."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def page_data(report: Document) -> dict[str, Any]:
    """
    Return the page's data. Cells that differ only in their source are one story with a list of sources.

    A story is [to, address, protocol, lo, hi, plane, expected, seen, verdict, culprit, rows, probed, evidence or null,
    note, answered] and texts in it are numbers of `words`; `sources` runs beside `stories`.
    """
    words = Words()
    stories = _stories(rows_of(report, "cells"), words)
    return {
        "verdict": verdict(report),
        "headline": headline(report),
        "short": in_short(report),
        "partly": partly(report),
        "plan": plan_line(report),
        "coverage": items.to_json() if (items := coverage(report)) else None,
        "about": {key: report.get(key) for key in ("flow", "site", "run", "started", "ended", "exit", "good")},
        "packets": {key: report.get(key) for key in ("probes", "loss")},
        "hosts": list(report["hosts"]),
        "roles": report.get("roles") or {},
        "findings": _notices(report),
        "outcomes": [_outcome(outcome) for outcome in rows_of(report, "outcomes")],
        "items": _items(report),
        "trend": rows_of(report, "trend"),
        "since": report.get("since"),
        "perimeter": rows_of(report, "perimeter"),
        "components": rows_of(report, "components"),
        "gates": rows_of(report, "gates"),
        "verified": report.get("cells") is not None,
        "stories": list(stories),
        "sources": list(stories.values()),
        "words": list(words.numbers),
    }


def _items(report: Document) -> list[dict[str, Any]]:
    """Return the items; one that is good as far as it was looked at, and no further, is told as `not_run`."""
    kinds = item_kinds(report)
    items = [dict(item) for item in rows_of(report, "items")]
    return [item | {"state": "not_run"} if kinds[item["id"]] == "not_due" else item for item in items]


def _stories(cells: Iterable[Document], words: Words) -> dict[tuple[Any, ...], list[int]]:
    stories: dict[tuple[Any, ...], list[int]] = {}
    for cell in cells:
        seen = cell["evidence"]
        story = (
            words(cell["to"]),
            words(cell["address"]),
            words(cell["protocol"]),
            cell["port_lo"],
            cell["port_hi"],
            words(cell["plane"]),
            words(cell["expected"]),
            words(cell["seen"]),
            words(cell["verdict"]),
            words(cell["culprit"]),
            tuple(words(row) for row in cell["rows"]),
            cell["probed"],
            None if seen is None else (seen["S"], seen["A"], seen["P"], seen["R"]),
            words(cell.get("note", "")),
            words(cell.get("answered", "")),
        )
        stories.setdefault(story, []).append(words(cell["from"]))
    return stories


def _notices(report: Document) -> list[dict[str, Any]]:
    cells = rows_of(report, "cells")
    shown = []
    for notice in notices(report):
        at = cells[int(notice.first)] if notice.first.isdigit() else None
        shown.append(
            {
                "level": notice.level,
                "title": notice.title,
                "next": notice.next,
                "hosts": notice.hosts if at is None else (),
                "count": notice.count,
                "detail": notice.detail,
                "at": at and [at["from"], at["to"]],
            }
        )
    return shown


def _outcome(outcome: Document) -> dict[str, Any]:
    evidence = outcome["evidence"]
    diff = diff_lines(evidence)
    text = "" if evidence is None or diff else printable(plain(evidence))[:_EVIDENCE_CHARACTERS]
    shown = {key: outcome[key] for key in ("host", "subject", "status", "message", "next", "seconds")}
    return shown | {"diff": diff, "evidence": text}


def embedded(data: object) -> str:
    """Return the data as JSON that no content of it can end early or turn into markup, wherever in a page it stands."""
    text = json.dumps(data, separators=(",", ":"), default=str)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
