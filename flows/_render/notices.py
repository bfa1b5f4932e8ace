"""What is worth a person's attention in a report, with the same thing on many hosts or cells said once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from flows._render.document import Document, rows_of
from flows._render.notice import LEVELS, Notice
from flows._render.words import counted, names
from model.report.consequence import causes_of
from model.report.evidence import diff_lines
from model.report.outcome import warns

_SUM_OF_CELLS = "ports"
_ADDRESSES = "addresses"
# What else is told of a host is no reason why its agents could not take part.
_NO_CAUSES = (_SUM_OF_CELLS, "rollback", "overrun")
_SILENT = ("failed", "missing", "unproven")
# `component/Kind/namespace/name`
_OBJECT = 3
_WORTH_A_NOTICE = ("drift", "failed", "unproven", "missing", "changed", "waived", "not_run")


def notices(report: Document, apart: bool = False) -> list[Notice]:
    """
    Return everything in a report that is not simply ok, worst first.

    Hosts that were changed alike are one finding without a diff; `apart` keeps them apart where their diffs differ.
    """
    rows = rows_of(report, "outcomes")
    causes = {row["host"] for row in rows if row["status"] in _SILENT and row["subject"] not in _NO_CAUSES}
    misplacing = {row["host"] for row in rows if row["status"] == "drift" and row["subject"] == _ADDRESSES}
    cells, follows, misplaced = _of_cells(rows_of(report, "cells"), causes, misplacing)
    rows, later = _apart(rows, causes)
    # An outcome that only sums up a host's cells would say what they say once more.
    summed = any(notice.bad for notice in cells) or bool(follows) or bool(misplaced)
    outcomes = [row for row in rows if not (summed and row["subject"] == _SUM_OF_CELLS)]
    told = _with_what_follows(_outcomes(outcomes, apart), follows, later)
    every = [*_lint(report), *_with_misplaced(told, misplaced), *cells]
    return sorted(every, key=lambda notice: LEVELS.index(notice.level))


def _of_cells(
    cells: Sequence[Document], causes: AbstractSet[str], misplacing: AbstractSet[str]
) -> tuple[list[Notice], Mapping[str, Counter[str]], Mapping[str, Counter[str]]]:
    """Return the notices of a proof's cells, and what only follows from hosts' silence and from their addresses."""
    if not cells:
        return [], {}, {}
    # Everything about firewalls stands behind it: most flows have no cells.
    from flows._render.cell_notices import cell_notices, following, misplaced

    return cell_notices(cells, causes, misplacing), following(cells, causes), misplaced(cells, misplacing)


def _with_misplaced(shown: Iterable[Notice], counts: Mapping[str, Counter[str]]) -> Iterator[Notice]:
    """Tell below what is wrong with a host's addresses how many cells are not good because of it."""
    left = dict(counts)
    for notice in shown:
        mine = list(notice.hosts) if notice.level == "drift" and notice.title.startswith(f"{_ADDRESSES}: ") else []
        found: Counter[str] = Counter()
        for host in mine:
            found.update(left.pop(host, {}))
        if not found:
            yield notice
            continue
        parts = [f"{number:,} {verdict}" for verdict, number in sorted(found.items(), reverse=True)]
        line = f"so {counted(found.total(), 'cell')} to and from that address: {', '.join(parts)}"
        yield replace(notice, detail=(*notice.detail, line))


def _apart(rows: Iterable[Document], causes: AbstractSet[str]) -> tuple[list[Document], dict[str, list[str]]]:
    """Return the outcomes without those that only follow from a host's silence, and the subjects of these by host."""
    kept: list[Document] = []
    later: dict[str, list[str]] = {}
    for row in rows:
        hosts = causes_of(row["message"]) if row["status"] == "unproven" else ()
        if hosts and causes >= set(hosts):
            later.setdefault(hosts[0], []).append(row["subject"])
        else:
            kept.append(row)
    return kept, later


def _with_what_follows(
    shown: Iterable[Notice], follows: Mapping[str, Counter[str]], later: Mapping[str, Sequence[str]]
) -> Iterator[Notice]:
    """Tell below a cause what is unproven because of it, once a host."""
    told: set[str] = set()
    for notice in shown:
        mine = [host for host in notice.hosts if host not in told] if notice.level in _SILENT else []
        lines = [f"so nothing is proven of {_ends(follows[host])} {host}" for host in mine if host in follows]
        lines += [f"so nothing is proven of {', '.join(later[host])}" for host in mine if host in later]
        told.update(mine)
        yield replace(notice, detail=(*notice.detail, *lines)) if lines else notice


def _ends(counts: Counter[str]) -> str:
    return " and ".join(f"{counted(count, 'cell')} {way}" for way, count in sorted(counts.items(), reverse=True))


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
