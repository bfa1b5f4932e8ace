"""The last line of a plan, and of the run that carried it out, in Terraform's terms."""

from __future__ import annotations

from flows._render.document import Document, rows_of
from flows._render.words import counted

_DECLARED = frozenset(("ok", "changed", "waived", "not_run"))


def plan_line(report: Document) -> str:
    """Return what would be, or was, added, changed and removed; empty for a run that only looks, or was stopped."""
    plan = report.get("plan")
    if not plan:
        return ""
    declared, hosts = _as_declared(report), len(report["hosts"])
    none = not (plan["add"] or plan["change"] or plan["remove"])
    if none and not hosts:
        return ""
    if none and declared == hosts and report["exit"] == 0:
        return f"No changes. {counted(hosts, 'host')} {'is' if hosts == 1 else 'are'} as declared."
    words = ("to add", "to change", "to remove") if report.get("dry_run") else ("added", "changed", "removed")
    numbers = (plan["add"], plan["change"], plan["remove"])
    figures = ", ".join(f"{number:,} {word}" for number, word in zip(numbers, words, strict=True))
    where = f" on {counted(plan['hosts'], 'host')}" if plan["hosts"] or none else ""
    rest = f"; {declared:,} of {counted(hosts, 'host')} {'is' if declared == 1 else 'are'} as declared" if none else ""
    return f"{'Plan: ' if report.get('dry_run') else ''}{figures}{where}{rest}."


def _as_declared(report: Document) -> int:
    """Count the hosts that have an outcome that is ok or changed, and none that is bad."""
    statuses: dict[str, set[str]] = {host: set() for host in report["hosts"]}
    for outcome in rows_of(report, "outcomes"):
        statuses.setdefault(outcome["host"], set()).add(outcome["status"])
    return sum(bool(statuses[host] & {"ok", "changed"}) and statuses[host] <= _DECLARED for host in report["hosts"])
