"""`--limit @failed`: the hosts for which the last run of the same flow was not good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flows._run import folder
from model.errors import SelectionError
from model.report.outcome import EXIT_BY_STATUS, GOOD
from model.report.report import EXIT_BY_VERDICT
from model.site.site import Site

TERM = "@failed"


def expand_failed(expression: str | None, flow: str, site: Site, directory: Path) -> str | None:
    """
    Put the names of hosts in the place of `@failed` and `!@failed`, as `reports/latest-<flow>` has them.

    Raises `SelectionError` where there is no such run, and where it failed for no host.
    """
    words = [word.strip() for word in (expression or "").split(",")]
    if expression is None or not {TERM, f"!{TERM}"} & set(words):
        return expression
    names = _failed(flow, site, directory)
    meant = {TERM: ",".join(names), f"!{TERM}": ",".join(f"!{name}" for name in names)}
    return ",".join(meant.get(word, word) for word in words)


def _failed(flow: str, site: Site, directory: Path) -> tuple[str, ...]:
    path = directory / "reports" / f"latest-{flow}" / "report.json"
    if not path.is_file():
        raise SelectionError(f"--limit {TERM}: no run of {flow} has left a report yet", f"run it without {TERM} first")
    report = folder.read_report(path)
    try:
        bad = set(_bad(report, site))
    except (KeyError, TypeError, AttributeError) as error:
        raise SelectionError(f"--limit {TERM}: {path} lacks what every report has: {error}") from error
    names = tuple(machine.name for machine in site.machines if machine.name in bad)
    if not names:
        last = f"{report.get('run')} with exit code {report.get('exit')}"
        raise SelectionError(
            f"--limit {TERM}: the last run, {last}, failed for no host", f"name hosts, or run without {TERM}"
        )
    return names


def _bad(report: Mapping[str, Any], site: Site) -> Iterator[str]:
    """Yield hosts of outcomes and cells that are not good; a cell is its destination's, or its source's elsewhere."""
    for outcome in report["outcomes"]:
        if EXIT_BY_STATUS.get(outcome["status"]) != GOOD:
            yield outcome["host"]
    for cell in report.get("cells") or ():
        if EXIT_BY_VERDICT.get(cell["verdict"]) != GOOD:
            yield cell["to"] if cell["to"] in site.by_name else cell["from"]
