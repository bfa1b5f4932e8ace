"""What is a run's result in one sentence?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flows._render.words import counted
from model.report.outcome import DRIFTED, GOOD, INTERRUPTED, REFUSED


def verdict(report: Mapping[str, Any]) -> str:
    """Return the verdict, what was looked at, and how long it took."""
    what = f"{report['flow']} on {report['site']}"
    took = (datetime.fromisoformat(report["ended"]) - datetime.fromisoformat(report["started"])).total_seconds()
    return f"{_word(report)}: {what}: {_told(report)}, {took:.1f} s"


def _word(report: Mapping[str, Any]) -> str:
    words = {GOOD: "NOTHING PROVEN", REFUSED: "STOPPED", DRIFTED: "NOT AS DECLARED", INTERRUPTED: "INTERRUPTED"}
    return "GOOD" if report["good"] else words.get(report["exit"], "NOT KNOWN")


def _told(report: Mapping[str, Any]) -> str:
    statuses = Counter(outcome["status"] for outcome in report["outcomes"])
    verdicts = Counter(cell["verdict"] for cell in report.get("cells") or ())
    hosts = counted(len(report["hosts"]), "host") if report["hosts"] else "nothing"
    if report["good"]:
        changed = f", {statuses['changed']} changed" if statuses["changed"] else ""
        return f"{hosts if report['hosts'] else 'all'} as declared{changed}"
    if not report["outcomes"]:
        return "no outcome at all, and silence is never success"
    parts = [counted(verdicts[word], word) for word in ("violation",) if verdicts[word]]
    parts += [f"{statuses[word]:,} {word}" for word in ("drift", "failed", "missing") if statuses[word]]
    parts += [f"{counted(verdicts['unproven'], 'cell')} unproven"] if verdicts["unproven"] else []
    parts += [f"{statuses['unproven']:,} unproven"] if statuses["unproven"] and not verdicts["unproven"] else []
    errors = sum(finding["severity"] == "error" for finding in report.get("findings") or ())
    parts += [counted(errors, "error") + " in the site's files"] if errors else []
    told = ", ".join(parts) or "nothing was found ok"
    return f"{told} over {hosts}" if report["hosts"] else told
