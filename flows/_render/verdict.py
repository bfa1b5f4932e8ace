"""A run's result in one sentence: the headline, what it is of, and how much was looked at and proven."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from flows._render.coverage import coverage
from flows._render.document import Document, rows_of
from flows._render.words import counted, names
from model.report.outcome import DRIFTED, GOOD, INTERRUPTED, REFUSED

_NAMED = 3
# What becomes of each check of a host that gave no answer.
_NO_ANSWER = frozenset({"failed", "missing"})


def verdict(report: Document) -> str:
    """Return the headline, the run, what was found, and how long it took."""
    return f"{headline(report)}: {report['flow']} on {report['site']}: {in_short(report)}"


def headline(report: Document) -> str:
    """
    Return the result in capitals, with the flags that left hosts or checks out.

    A run that left any out, or leaves items of the checklist open, is never simply good.
    """
    left_out = _left_out(report)
    if _reached_nobody(report):
        return f"NO HOST REACHED{left_out}"
    if not report["good"]:
        words = {GOOD: "NOTHING PROVEN", REFUSED: "STOPPED", DRIFTED: "NOT AS DECLARED", INTERRUPTED: "INTERRUPTED"}
        return f"{words.get(report['exit'], 'NOT KNOWN')}{left_out}"
    items = coverage(report)
    if items is None or not items.open:
        return f"NOTHING WRONG FOUND{left_out}" if left_out else "GOOD"
    return f"NOTHING WRONG FOUND{left_out}, {items.open:,} of {items.total:,} items open"


def _left_out(report: Document) -> str:
    """Return the flags that left hosts or checks out of a report of checks; nothing where it is of all of them."""
    checks = [check["id"] for check in rows_of(report, "checks")]
    flags = [f"--limit {report['limit']}"] if report.get("limit") else []
    if checks and coverage(report) is None:
        flags.append(f"--check {names(checks, _NAMED)}")
    return f" with {' '.join(flags)}" if flags else ""


def _reached_nobody(report: Document) -> bool:
    """Return whether a run that was to look at hosts got an answer of none of them, whatever the site's files say."""
    hosts = set(report["hosts"])
    statuses = {outcome["status"] for outcome in report["outcomes"] if outcome["host"] in hosts}
    return bool(report.get("checks")) and bool(hosts) and statuses <= _NO_ANSWER


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
    return f"{items}; {hosts}"


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
