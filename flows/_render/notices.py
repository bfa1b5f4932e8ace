"""What is worth a person's attention in a report, with the same thing on many hosts or cells said once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from flows._render.cell_notices import cell_notices
from flows._render.document import Document, rows_of
from flows._render.notice import LEVELS, Notice
from flows._render.words import names
from model.report.evidence import diff_lines
from model.report.outcome import warns

_SUM_OF_CELLS = "ports"
# `component/Kind/namespace/name`
_OBJECT = 3
_WORTH_A_NOTICE = ("drift", "failed", "unproven", "missing", "changed", "waived", "not_run")


def notices(report: Document, apart: bool = False) -> list[Notice]:
    """
    Return everything in a report that is not simply ok, worst first.

    Hosts that were changed alike are one finding without a diff; `apart` keeps them apart where their diffs differ.
    """
    cells = cell_notices(rows_of(report, "cells"))
    # An outcome that only sums up a host's cells would say what they say once more.
    summed = any(notice.bad for notice in cells)
    outcomes = [row for row in rows_of(report, "outcomes") if not (summed and row["subject"] == _SUM_OF_CELLS)]
    every = [*_lint(report), *_outcomes(outcomes, apart), *cells]
    return sorted(every, key=lambda notice: LEVELS.index(notice.level))


def _outcomes(outcomes: Iterable[Document], apart: bool) -> list[Notice]:
    groups: dict[tuple[str, ...], list[Document]] = {}
    for outcome in outcomes:
        if outcome["status"] in _WORTH_A_NOTICE or _warns(outcome):
            groups.setdefault(_key(outcome, apart), []).append(outcome)
    return _joined(_outcome_notice(key, members, apart) for key, members in groups.items())


def _joined(notices_of_subjects: Iterable[Notice]) -> list[Notice]:
    """Say once what is told in the same words of the same hosts about several subjects, as of a dead host."""
    alike: dict[tuple[object, ...], list[Notice]] = {}
    for notice in notices_of_subjects:
        subject, colon, message = notice.title.partition(": ")
        apart = (notice.level, message or subject, notice.next, notice.hosts, notice.detail, "" if colon else subject)
        alike.setdefault(apart, []).append(notice)
    return [_several(group) if len(group) > 1 else group[0] for group in alike.values()]


def _several(group: list[Notice]) -> Notice:
    subjects = [notice.title.partition(": ")[0] for notice in group]
    message = group[0].title.partition(": ")[2]
    title = f"{names(subjects, 3)}: {message}" if message else names(subjects, 3)
    return replace(group[0], title=title, count=sum(notice.count for notice in group))


def _key(outcome: Document, apart: bool) -> tuple[str, ...]:
    whole = outcome["status"] == "changed" or _makes_object(outcome)
    diff = () if whole and not apart else diff_lines(outcome["evidence"])
    parts = (outcome["message"], outcome["next"], "\n".join(diff))
    nameless = (_nameless(part, outcome["host"]) for part in parts)
    level = "warning" if _warns(outcome) else outcome["status"]
    return (level, outcome["subject"], *nameless)


def _warns(outcome: Document) -> bool:
    return warns(outcome["status"], outcome["evidence"])


def _alike(members: list[Document]) -> bool:
    return len({_nameless("\n".join(diff_lines(member["evidence"])), member["host"]) for member in members}) == 1


def _nameless(text: str, host: str) -> str:
    return re.sub(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", "<host>", text) if host and host in text else text


def _makes_object(outcome: Document) -> bool:
    """Tell whether an object of the cluster is made: all of it is new, and `--render` shows it better."""
    lines = diff_lines(outcome["evidence"])
    heads = [line for line in lines if line.startswith("--- ")]
    return outcome["host"] == "controller" and heads == ["--- /dev/null"] and outcome["subject"].count("/") == _OBJECT


def _outcome_notice(key: tuple[str, ...], members: list[Document], apart: bool) -> Notice:
    first, status, subject = members[0], key[0], key[1]
    hosts = tuple(dict.fromkeys(member["host"] for member in members))
    alone = len(hosts) == 1
    message, step = (first["message"], first["next"]) if alone else (key[2], key[3])
    if alone:
        message = message.removeprefix(f"{first['host']}: ")
    message = message.removeprefix("<host>: ")
    step = step.replace("--limit <host>", f"--limit {','.join(hosts)}")
    title = f"{subject}: {message}" if message else subject
    shows_diff = status in ("drift", "changed") and _alike(members) and (apart or not _makes_object(first))
    detail = tuple(diff_lines(first["evidence"])) if shows_diff else ()
    return Notice(
        level=status,
        title=title,
        next=step,
        hosts=hosts,
        count=len(members),
        detail=detail,
        first=f"{first['host']}|{subject}",
    )


def _lint(report: Document) -> list[Notice]:
    """
    Findings at one place may well differ: only what is told in the same words, save the host that is meant, is said
    once.
    """
    groups: dict[tuple[str, ...], list[Document]] = {}
    for finding in rows_of(report, "findings"):
        words = [str(finding.get(word, "")) for word in ("severity", "rule", "file", "path", "message", "fix")]
        about = "" if _names_its_host(finding) else finding["value"]
        groups.setdefault((*words, about), []).append(finding)
    return [_lint_notice(members) for members in groups.values()]


def _names_its_host(finding: Document) -> bool:
    return bool(finding.get("host")) and finding["host"] == finding["value"]


def _lint_notice(members: list[Document]) -> Notice:
    first = members[0]
    level = first["severity"] if first["severity"] in LEVELS else "warning"
    message = first.get("message") or "is wrong"
    values = ", ".join(dict.fromkeys(member["value"] for member in members))
    shown = f" (found {values})" if values else ""
    title = f"{first['rule']}: {first['file']}: {first['path']}: {message}{shown}"
    return Notice(level=level, title=title, next=first["fix"], hosts=(), count=len(members))
