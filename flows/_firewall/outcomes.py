"""What a person reads of one host's firewall."""

from __future__ import annotations

from collections.abc import Sequence

from model.report.outcome import Outcome, Status
from model.ufw.plan import UfwPlan
from model.ufw.review import SUBJECT
from model.ufw.state import CONF
from model.ufw.text import level_of, wrong_level


def stopped(host: str, rules: Sequence[str]) -> Outcome:
    """Return what is said of a host that was never managed and has rules of its own."""
    return Outcome(
        host,
        SUBJECT,
        Status.DRIFT,
        f"was never managed before and has {len(rules)} ufw rule{'s' if len(rules) > 1 else ''} of its own: "
        f"{'; '.join(rules)}",
        next="take them into the matrix with `python -m flows.firewall adopt`, or remove them with --purge",
        evidence="\n".join(rules),
    )


def proposed(todo: UfwPlan, first: str = "") -> Outcome:
    """Return what a dry run says of a plan; `first` is what has to be mended before, empty for nothing."""
    if not todo.change:
        return holds(todo)
    verb = (
        "ufw would be installed and started" if todo.install else ("ufw would be started" if todo.start else "differs")
    )
    return Outcome(
        todo.host,
        SUBJECT,
        Status.DRIFT,
        f"{verb}: {_counts(todo.diff)}{_level(todo)}",
        next=first or "run without --dry-run",
        evidence=todo.diff,
    )


def holds(todo: UfwPlan) -> Outcome:
    """Return what is said of a host that needs no change."""
    count = sum(text.count("### tuple ###") for text in todo.then.files.values())
    return Outcome(todo.host, SUBJECT, Status.OK, f"holds {count} rules, as the matrix says")


def changed(todo: UfwPlan) -> Outcome:
    """Return what is said of a change that was carried out and proven."""
    verb = "started, " if todo.start else ""
    message = f"{verb}{_counts(todo.diff)}; a new connection was proven{_level(todo)}"
    return Outcome(todo.host, SUBJECT, Status.CHANGED, message, evidence=todo.diff)


def failed(todo: UfwPlan, message: str, step: str) -> Outcome:
    """Return what is said of a change that was rolled back."""
    back = "the host was rolled back, at once or by itself within 20 seconds; look at it, then run again"
    return Outcome(todo.host, SUBJECT, Status.FAILED, message, next=step or back, evidence=todo.diff)


def disturbed(host: str, diff: str) -> Outcome:
    """Return what is said where others' rules changed meanwhile."""
    what = "rules of others changed while the firewall was being changed"
    return Outcome(host, "foreign-rules", Status.DRIFT, what, next="find out who changed them", evidence=diff)


def _level(todo: UfwPlan) -> str:
    """Say that ufw.conf names a logging level which is taken for its usual one."""
    wrong = wrong_level(todo.now.files.get(CONF, ""))
    return f"; {CONF} {wrong}: {level_of('')} is meant" if wrong else ""


def _counts(diff: str) -> str:
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++", "@@"))]
    added, removed = (sum(line.startswith(sign) for line in lines) for sign in "+-")
    return f"{added} lines added, {removed} removed"
