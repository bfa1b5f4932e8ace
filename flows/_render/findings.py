"""What is worth a person's attention in a report, with the same thing on many hosts or cells said once?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from flows._render.cell_findings import cell_findings
from flows._render.finding import LEVELS, Finding
from flows._render.words import diff_lines, names
from model.report.outcome import warns

__all__ = ["Finding", "findings", "rows_of"]

Document = Mapping[str, Any]
_SUM_OF_CELLS = "ports"
_TOLD = ("drift", "failed", "unproven", "missing", "changed", "waived", "not_run")


def findings(report: Document, apart: bool = False) -> list[Finding]:
    """
    Return everything in a report that is not simply ok, worst first.

    Hosts that were changed alike are one finding without a diff; `apart` keeps them apart where their diffs differ.
    """
    cells = cell_findings(rows_of(report, "cells"))
    # An outcome that only sums up a host's cells would say what they say once more.
    summed = any(finding.bad for finding in cells)
    outcomes = [each for each in rows_of(report, "outcomes") if not (summed and each["subject"] == _SUM_OF_CELLS)]
    found = [*_lint(report), *_outcomes(outcomes, apart), *cells]
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def rows_of(report: Document, key: str) -> list[Document]:
    """Return the report's list under `key`; one that is absent or null is empty."""
    return list(report.get(key) or ())


def _outcomes(outcomes: Iterable[Document], apart: bool) -> list[Finding]:
    groups: dict[tuple[str, ...], list[Document]] = {}
    for outcome in outcomes:
        if outcome["status"] in _TOLD or _warns(outcome):
            groups.setdefault(_key(outcome, apart), []).append(outcome)
    return _joined(_outcome_finding(key, members) for key, members in groups.items())


def _joined(found: Iterable[Finding]) -> list[Finding]:
    """Say once what is told in the same words of the same hosts about several subjects, as of a dead host."""
    alike: dict[tuple[object, ...], list[Finding]] = {}
    for each in found:
        subject, colon, message = each.title.partition(": ")
        apart = (each.level, message or subject, each.next, each.hosts, each.detail, "" if colon else subject)
        alike.setdefault(apart, []).append(each)
    return [_several(group) if len(group) > 1 else group[0] for group in alike.values()]


def _several(group: list[Finding]) -> Finding:
    subjects = [each.title.partition(": ")[0] for each in group]
    message = group[0].title.partition(": ")[2]
    title = f"{names(subjects, 3)}: {message}" if message else names(subjects, 3)
    return replace(group[0], title=title, count=sum(each.count for each in group))


def _key(outcome: Document, apart: bool) -> tuple[str, ...]:
    diff = () if outcome["status"] == "changed" and not apart else diff_lines(outcome["evidence"])
    parts = (outcome["message"], outcome["next"], "\n".join(diff))
    nameless = (_nameless(part, outcome["host"]) for part in parts)
    level = "warning" if _warns(outcome) else outcome["status"]
    return (level, outcome["subject"], *nameless)


def _warns(outcome: Document) -> bool:
    return warns(outcome["status"], outcome["evidence"])


def _alike(members: list[Document]) -> bool:
    return len({_nameless("\n".join(diff_lines(each["evidence"])), each["host"]) for each in members}) == 1


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
    shows_diff = status in ("drift", "changed") and _alike(members)
    detail = tuple(diff_lines(first["evidence"])) if shows_diff else ()
    return Finding(
        level=status,
        title=title,
        next=step,
        hosts=hosts,
        count=len(members),
        detail=detail,
        first=f"{first['host']}|{subject}",
    )


def _lint(report: Document) -> list[Finding]:
    """
    Findings at one place may well differ: only what is told in the same words, save the host that is meant, is said
    once.
    """
    groups: dict[tuple[str, ...], list[Document]] = {}
    for finding in rows_of(report, "findings"):
        told = [str(finding.get(word, "")) for word in ("severity", "rule", "file", "path", "message", "fix")]
        about = "" if _names_its_host(finding) else finding["value"]
        groups.setdefault((*told, about), []).append(finding)
    return [_lint_finding(members) for members in groups.values()]


def _names_its_host(finding: Document) -> bool:
    return bool(finding.get("host")) and finding["host"] == finding["value"]


def _lint_finding(members: list[Document]) -> Finding:
    first = members[0]
    level = first["severity"] if first["severity"] in LEVELS else "warning"
    message = first.get("message") or "is wrong"
    found = ", ".join(dict.fromkeys(member["value"] for member in members))
    shown = f" (found {found})" if found else ""
    title = f"{first['rule']}: {first['file']}: {first['path']}: {message}{shown}"
    return Finding(level=level, title=title, next=first["fix"], hosts=(), count=len(members))
