"""What is worth a person's attention in a report, with the same thing on many hosts or cells said once?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from flows._cell_findings import cell_findings
from flows._finding import LEVELS, Finding
from flows._words import diff_lines

__all__ = ["Finding", "findings", "rows_of"]

Document = Mapping[str, Any]
_TOLD = ("drift", "failed", "unproven", "missing", "changed", "waived", "not_run")


def findings(report: Document) -> list[Finding]:
    """
    Return everything in a report that is not simply ok, worst first.
    """
    found = [*_lint(report), *_outcomes(rows_of(report, "outcomes")), *cell_findings(rows_of(report, "cells"))]
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def rows_of(report: Document, key: str) -> list[Document]:
    """Return the report's list under `key`; one that is absent or null is empty."""
    return list(report.get(key) or ())


def _outcomes(outcomes: Iterable[Document]) -> list[Finding]:
    groups: dict[tuple[str, ...], list[Document]] = {}
    for outcome in outcomes:
        if outcome["status"] in _TOLD:
            groups.setdefault(_key(outcome), []).append(outcome)
    return [_outcome_finding(key, members) for key, members in groups.items()]


def _key(outcome: Document) -> tuple[str, ...]:
    parts = (outcome["message"], outcome["next"], "\n".join(diff_lines(outcome["evidence"])))
    nameless = (_nameless(part, outcome["host"]) for part in parts)
    return (outcome["status"], outcome["subject"], *nameless)


def _nameless(text: str, host: str) -> str:
    return re.sub(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", "<host>", text) if host and host in text else text


def _outcome_finding(key: tuple[str, ...], members: list[Document]) -> Finding:
    first, status, subject = members[0], key[0], key[1]
    hosts = tuple(dict.fromkeys(member["host"] for member in members))
    alone = len(hosts) == 1
    message, step = (first["message"], first["next"]) if alone else (key[2], key[3])
    if alone:
        message = message.removeprefix(f"{first['host']}: ")
    message = message.removeprefix("<host>: ")
    step = step.replace("--limit <host>", f"--limit {','.join(hosts)}")
    title = f"{subject}: {message}" if message else subject
    detail = tuple(diff_lines(first["evidence"])) if status in ("drift", "changed") else ()
    return Finding(status, title, step, hosts, len(members), detail, first=f"{first['host']}|{subject}")


def _lint(report: Document) -> list[Finding]:
    groups: dict[tuple[str, ...], list[Document]] = {}
    for finding in rows_of(report, "findings"):
        key = (finding["severity"], finding["rule"], finding["file"], finding["path"], finding["value"])
        groups.setdefault(key, []).append(finding)
    return [_lint_finding(members[0]) for members in groups.values()]


def _lint_finding(finding: Document) -> Finding:
    level = finding["severity"] if finding["severity"] in LEVELS else "warning"
    message = finding.get("message") or "is wrong"
    shown = f" (found {finding['value']})" if finding["value"] else ""
    title = f"{finding['rule']}: {finding['file']}: {finding['path']}: {message}{shown}"
    return Finding(level, title, finding["fix"], (), 1)
