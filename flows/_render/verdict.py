"""A run's result in one sentence: the headline, what it is of, and how much was looked at and proven."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from flows._render.coverage import coverage
from flows._render.document import Document
from flows._render.words import counted
from model.report.outcome import DRIFTED, GOOD, INTERRUPTED, REFUSED


def verdict(report: Document) -> str:
    """Return the headline, the run, what was found, and how long it took."""
    return f"{headline(report)}: {report['flow']} on {report['site']}: {in_short(report)}"


def headline(report: Document) -> str:
    """Return the result in capitals. A run that leaves items of the checklist open is never simply good."""
    if not report["good"]:
        words = {GOOD: "NOTHING PROVEN", REFUSED: "STOPPED", DRIFTED: "NOT AS DECLARED", INTERRUPTED: "INTERRUPTED"}
        return words.get(report["exit"], "NOT KNOWN")
    items = coverage(report)
    if items is None:
        return "NOTHING WRONG FOUND" if report.get("checks") else "GOOD"
    return f"NOTHING WRONG FOUND, {items.open:,} of {items.total:,} items open" if items.open else "GOOD"


def partly(report: Document) -> bool:
    """Return whether nothing is wrong and yet something of the checklist stays open."""
    return bool(report["good"]) and headline(report) != "GOOD"


def in_short(report: Document) -> str:
    """Return how much of the checklist is proven, then what was found on the hosts, and how long it took."""
    took = (datetime.fromisoformat(report["ended"]) - datetime.fromisoformat(report["started"])).total_seconds()
    hosts = f"{_hosts_in_short(report)}, {took:.1f} s"
    items = coverage(report)
    if items is None:
        return hosts
    chosen = f"with --limit {report['limit']}: " if report.get("limit") else ""
    return f"{chosen}{items}; {hosts}"


def _hosts_in_short(report: Document) -> str:
    statuses = Counter(outcome["status"] for outcome in report["outcomes"])
    if report["good"]:
        return _as_declared(report, statuses["changed"])
    if not report["outcomes"]:
        return "no outcome at all, and silence is never success"
    verdicts = Counter(cell["verdict"] for cell in report.get("cells") or ())
    parts = [counted(verdicts["violation"], "violation")] if verdicts["violation"] else []
    parts += [f"{statuses[word]:,} {word}" for word in ("drift", "failed", "missing") if statuses[word]]
    parts += [f"{counted(verdicts['unproven'], 'cell')} unproven"] if verdicts["unproven"] else []
    parts += [f"{statuses['unproven']:,} unproven"] if statuses["unproven"] and not verdicts["unproven"] else []
    errors = sum(finding["severity"] == "error" for finding in report.get("findings") or ())
    parts += [counted(errors, "error") + " in the site's files"] if errors else []
    wrong = ", ".join(parts) or "nothing was found ok"
    return f"{wrong} over {counted(len(report['hosts']), 'host')}" if report["hosts"] else wrong


def _as_declared(report: Document, changed: int) -> str:
    who = counted(len(report["hosts"]), "host") if report["hosts"] else "all"
    checks = report.get("checks")
    by = f" by {counted(len(checks), 'check')}; a run of all checks tells of items" if checks else ""
    return f"{who} as declared{by if coverage(report) is None else ''}{f', {changed} changed' if changed else ''}"
