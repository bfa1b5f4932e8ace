"""What are the lines of a report's summary? Enough to act on, short when all is well."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows._render.finding import Finding
from flows._render.findings import findings, rows_of
from flows._render.verdict import verdict
from flows._render.words import counted, names

Document = Mapping[str, Any]

_DETAIL_LINES = 40
_DETAIL_LINES_EACH = 8
_FINDINGS = 30
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


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text with its colour and the column at which it starts."""

    text: str
    style: str = ""
    indent: int = 0

    def folded(self, width: int | None, clean: Callable[[str], str]) -> list[str]:
        """Return the line, cleaned, in as many pieces as the width asks for; in one when it is None."""
        margin = " " * self.indent
        text = clean(self.text).replace("\n", f"\n{margin}  ")
        if width is None or len(text) + self.indent <= width:
            return [margin + text]
        return textwrap.wrap(
            text,
            max(width, 20),
            initial_indent=margin,
            subsequent_indent=margin + "  ",
            break_on_hyphens=False,
            replace_whitespace=False,
        )


def summary(
    report: Document, folder: Path | None = None, verbose: bool = False, told: Set[str] = frozenset()
) -> list[Line]:
    """
    Return the summary: the verdict, counts, hosts where several differ, every finding with its next step, where the
    reports lie.

    Messages in `told` were shown before and are left out.
    """
    found = [finding for finding in findings(report, verbose) if finding.title.partition(": ")[2] not in told]
    ill = [finding for finding in found if finding.bad or finding.level == "warning"]
    done = [finding for finding in found if finding.level == "changed"]
    aside = [finding for finding in found if finding.level in ("waived", "not_run")]
    head = "bold green" if report["good"] else "bold yellow" if report["exit"] == 0 else "bold red"
    lines = [Line(verdict(report), head), *_news(report), *_counts(report)]
    lines += _hosts(report, verbose)
    # Whoever mends a site's files has nothing but the findings to go by.
    lines += _told([*ill, *done], verbose, None if verbose or report.get("findings") else _FINDINGS)
    lines += _aside(aside, verbose)
    if folder is not None:
        lines.append(Line(f"report    {folder / 'report.html'}", "", 2))
    return lines


def _news(report: Document) -> list[Line]:
    """What changed since the last run of the same kind, where the flow says so."""
    since = report.get("since")
    if not since:
        return []
    new, gone = since["new"], since["gone"]
    lines = [Line(f"since     {since['run']}: {len(new)} new, {len(gone)} gone", "", 2)]
    lines += [Line(f"new       {each}", "red", 2) for each in new[:_NEWS]]
    lines += [Line(f"gone      {each}", "green", 2) for each in gone[:_NEWS]]
    left = max(0, len(new) - _NEWS) + max(0, len(gone) - _NEWS)
    return [*lines, Line(f"          and {left} more in the report", "", 2)] if left else lines


def _aside(aside: list[Finding], verbose: bool) -> list[Line]:
    """One line each for what is answered for or not due; a few of them where there are many."""
    shown = aside if verbose or len(aside) <= _ASIDE + 1 else aside[:_ASIDE]
    lines = [
        Line(f"{_MARKS[finding.level].lower():<10}{_whom(finding, verbose)}{finding.title}", "dim", 2)
        for finding in shown
    ]
    left = len(aside) - len(shown)
    return [*lines, Line(f"... and {left} more waived or not run; -v shows all", "dim", 2)] if left else lines


def _told(found: list[Finding], verbose: bool, limit: int | None) -> list[Line]:
    """
    Lines of the first `limit` findings, of all when None; unless `verbose`, with what diffs fit beside each other.
    """
    shown = found[:limit]
    several = sum(bool(finding.detail) for finding in shown) > 1
    most = None if verbose else _DETAIL_LINES_EACH if several else _DETAIL_LINES
    lines = [line for finding in shown for line in _finding(finding, most)]
    left = len(found) - len(shown)
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
            end = cell["from"] if cell["culprit"] in ("source", "source-egress") else cell["to"]
            tallies.setdefault(end, Counter())[f"cells {cell['verdict']}"] += 1
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


def _finding(finding: Finding, most: int | None) -> list[Line]:
    """Lines of a finding, its diff cut after `most` lines; None shows all of it, and every host."""
    style = _STYLES.get(finding.level, "red")
    lines = [Line(f"{_MARKS[finding.level]} {_whom(finding, most is None)}{finding.title}", style, 2)]
    shown = finding.detail[:most]
    lines += [Line(line, _diff_style(line), 6) for line in shown]
    if len(finding.detail) > len(shown):
        lines.append(Line(f"... {len(finding.detail) - len(shown)} more lines; -v shows all", "dim", 6))
    if finding.next:
        lines.append(Line(f"next: {finding.next}", "", 4))
    return lines


def _whom(finding: Finding, verbose: bool) -> str:
    """Name the hosts of an outcome; a cell's title names its own."""
    if not finding.hosts or finding.first.isdigit():
        return ""
    return f"{names(finding.hosts, None if verbose else 6)}: "


def _diff_style(line: str) -> str:
    place = line.startswith(("--- ", "+++ ", "@@"))
    return "dim" if place else {"+": "green", "-": "red"}.get(line[:1], "dim")
