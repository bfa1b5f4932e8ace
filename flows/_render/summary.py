"""The lines of a report's summary: enough to act on, short when all is well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from pathlib import Path

from flows._render.components import component_lines
from flows._render.document import Document, blamed_host, rows_of
from flows._render.line import Line
from flows._render.notice import Notice
from flows._render.notices import notices
from flows._render.plan_line import plan_line
from flows._render.verdict import partly, verdict
from flows._render.words import counted, names

__all__ = ["Line", "summary"]


_DETAIL_LINES = 40
_DETAIL_LINES_EACH = 8
_NOTICES = 30
_HOSTS = 12
_NEWS = 8
_ASIDE = 12
_STYLES = {"changed": "cyan", "waived": "dim", "not_run": "dim", "warning": "yellow"}
_MARKS = {
    "error": "ERROR",
    "violation": "VIOLATION",
    "drift": "DRIFT",
    "failed": "FAILED",
    "missing": "MISSING",
    "unproven": "UNPROVEN",
    "warning": "WARNING",
    "changed": "CHANGED",
    "waived": "WAIVED",
    "not_run": "NOT RUN",
}


def summary(
    report: Document, folder: Path | None = None, verbose: bool = False, already_shown: Set[str] = frozenset()
) -> list[Line]:
    """
    Return the summary: the verdict, counts, hosts where several differ, every notice with its next step, the plan's
    figures, where the reports lie.

    Messages in `already_shown` are left out.
    """
    shown = [notice for notice in notices(report, verbose) if notice.title.partition(": ")[2] not in already_shown]
    ill = [notice for notice in shown if notice.bad or notice.level == "warning"]
    done = [notice for notice in shown if notice.level == "changed"]
    aside = [notice for notice in shown if notice.level in ("waived", "not_run")]
    lines = [Line(verdict(report), _head_style(report)), *_news(report), *_counts(report)]
    lines += [*component_lines(report, verbose), *_hosts(report, verbose)]
    # Whoever mends a site's files has nothing but the notices to go by.
    lines += _notices([*ill, *done], verbose, None if verbose or report.get("findings") else _NOTICES)
    lines += _aside(aside, verbose)
    if figures := plan_line(report):
        lines.append(Line(figures, "bold", 2))
    if folder is not None:
        lines.append(Line(f"report    {folder / 'report.html'}", "", 2, whole=True))
    return lines


def _head_style(report: Document) -> str:
    if report["good"]:
        return "bold cyan" if partly(report) else "bold green"
    return "bold yellow" if report["exit"] == 0 else "bold red"


def _news(report: Document) -> list[Line]:
    """What changed since the last run of the same kind, where the flow says so."""
    since = report.get("since")
    if not since:
        return []
    new, gone = since["new"], since["gone"]
    lines = [Line(f"since     {since['run']}: {len(new)} new, {len(gone)} gone", "", 2)]
    lines += [Line(f"new       {line}", "red", 2) for line in new[:_NEWS]]
    lines += [Line(f"gone      {line}", "green", 2) for line in gone[:_NEWS]]
    left = max(0, len(new) - _NEWS) + max(0, len(gone) - _NEWS)
    return [*lines, Line(f"          and {left} more in the report", "", 2)] if left else lines


def _aside(aside: list[Notice], verbose: bool) -> list[Line]:
    """One line each for what is answered for or not due; a few of them where there are many."""
    shown = aside if verbose or len(aside) <= _ASIDE + 1 else aside[:_ASIDE]
    lines = [
        Line(f"{_MARKS[notice.level].lower():<10}{_whom(notice, verbose)}{notice.title}", "dim", 2) for notice in shown
    ]
    left = len(aside) - len(shown)
    return [*lines, Line(f"... and {left} more waived or not run; -v shows all", "dim", 2)] if left else lines


def _notices(chosen: list[Notice], verbose: bool, limit: int | None) -> list[Line]:
    """
    Lines of the first `limit` notices, of all when None; unless `verbose`, with what diffs fit beside each other.
    """
    shown = chosen[:limit]
    several = sum(bool(notice.detail) for notice in shown) > 1
    most = None if verbose else _DETAIL_LINES_EACH if several else _DETAIL_LINES
    lines = [line for notice in shown for line in _notice(notice, most)]
    left = len(chosen) - len(shown)
    return [*lines, Line(f"... and {counted(left, 'finding')} more: see report.html, or -v", "", 2)] if left else lines


def _counts(report: Document) -> list[Line]:
    outcomes = Counter(outcome["status"] for outcome in rows_of(report, "outcomes"))
    lines = [Line(f"outcomes  {_tally(outcomes) or 'none'}", "", 2)]
    if report.get("cells") is not None:
        cells = Counter(cell["verdict"] for cell in rows_of(report, "cells"))
        lines.append(Line(f"cells     {_tally(cells) or 'none'}", "", 2))
        probes, loss = report.get("probes"), report.get("loss")
        if probes is not None:
            lines.append(Line(f"packets   {counted(probes, 'probe')}, {loss or 0:,} lost on the way", "", 2))
    return lines


def _tally(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{number:,} {word.replace('_', ' ')}" for word, number in counts.items())


def _hosts(report: Document, verbose: bool) -> list[Line]:
    """One line for each host that differs from the rest, worst first; only where there are several."""
    if not verbose and len(report["hosts"]) < 2:
        return []
    tallies: dict[str, Counter[str]] = {host: Counter() for host in report["hosts"]}
    for outcome in rows_of(report, "outcomes"):
        tallies.setdefault(outcome["host"], Counter())[outcome["status"]] += 1
    for cell in rows_of(report, "cells"):
        if cell["verdict"] in ("violation", "unproven"):
            tallies.setdefault(blamed_host(cell), Counter())[f"cells {cell['verdict']}"] += 1
    telling = {host: tally for host, tally in tallies.items() if set(tally) - {"ok", "not_run", "waived"}}
    if len({tuple(sorted(tally.items())) for tally in telling.values()}) < 2 and not verbose:
        return []
    ordered = sorted(telling.items(), key=lambda item: -sum(item[1].values()))
    width = max((len(host) for host in telling), default=0)
    shown = ordered if verbose else ordered[:_HOSTS]
    lines = [Line(f"{host:<{width}}  {_tally(tally)}", "", 4) for host, tally in shown]
    if len(ordered) > len(shown):
        lines.append(Line(f"and {len(ordered) - len(shown)} more hosts; -v shows all", "", 4))
    return [Line("hosts", "", 2), *lines] if lines else []


def _notice(notice: Notice, most: int | None) -> list[Line]:
    """Lines of a notice, its diff cut after `most` lines; None shows all of it, and every host."""
    style = _STYLES.get(notice.level, "red")
    lines = [Line(f"{_MARKS[notice.level]} {_whom(notice, most is None)}{notice.title}", style, 2)]
    shown = notice.detail[:most]
    lines += [Line(line, _diff_style(line), 6, whole=True) for line in shown]
    if len(notice.detail) > len(shown):
        lines.append(Line(f"... {len(notice.detail) - len(shown)} more lines; -v shows all", "dim", 6))
    if notice.next:
        lines.append(Line(f"next: {notice.next}", "", 4))
    return lines


def _whom(notice: Notice, verbose: bool) -> str:
    """Name the hosts of an outcome; a cell's title names its own."""
    if not notice.hosts or notice.first.isdigit():
        return ""
    return f"{names(notice.hosts, None if verbose else 6)}: "


def _diff_style(line: str) -> str:
    place = line.startswith(("--- ", "+++ ", "@@"))
    return "dim" if place else {"+": "green", "-": "red", "~": "yellow"}.get(line[:1], "dim")
