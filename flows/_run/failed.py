"""`--limit @failed`: the hosts for which the last run of the same flow was not good."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from flows._render.document import Document, blamed_host, rows_of
from flows._run import folder
from flows._run.publish import CONTROLLER
from model.errors import SelectionError
from model.report.outcome import EXIT_BY_STATUS, GOOD, REFUSED
from model.report.report import EXIT_BY_VERDICT
from model.site.site import Site

TERM = "@failed"


def expand_failed(expression: str | None, flow: str, site: Site, directory: Path) -> str | None:
    """
    Put the names of hosts in the place of `@failed` and `!@failed`, as the flow's newest report that asked hosts has
    them: a run that was refused makes nobody forgotten.

    Raises `SelectionError` where there is no such run, and where it failed for no host.
    """
    words = [word.strip() for word in (expression or "").split(",")]
    if expression is None or not {TERM, f"!{TERM}"} & set(words):
        return expression
    names = _failed(flow, site, directory)
    meant = {TERM: ",".join(names), f"!{TERM}": ",".join(f"!{name}" for name in names)}
    return ",".join(meant.get(word, word) for word in words)


def _failed(flow: str, site: Site, directory: Path) -> tuple[str, ...]:
    latest = directory / "reports" / f"latest-{flow}"
    # A run that was refused is the latest, too, and knows of no host.
    for place in (latest, *reversed(folder.runs(directory, flow))):
        path = place / "report.json"
        if not path.is_file():
            continue
        report = folder.read_report(path)
        try:
            if _asked_hosts(report):
                return _named(set(_bad(report, site)), report, site)
        except (KeyError, TypeError, AttributeError) as error:
            raise SelectionError(f"--limit {TERM}: {path} lacks what every report has: {error}") from error
    left = "asked any host" if latest.exists() else "left a report"
    raise SelectionError(f"--limit {TERM}: no run of {flow} has {left} yet", f"run it without {TERM} first")


def _named(bad: Collection[str], report: Document, site: Site) -> tuple[str, ...]:
    names = tuple(machine.name for machine in site.machines if machine.name in bad)
    if not names:
        last = f"{report.get('run')} with exit code {report.get('exit')}"
        raise SelectionError(
            f"--limit {TERM}: the last run, {last}, failed for no host", f"name hosts, or run without {TERM}"
        )
    return names


def _asked_hosts(report: Document) -> bool:
    """Tell a run that has something to say of hosts from one that was refused before it asked any."""
    answering = {outcome["host"] for outcome in report["outcomes"]} - {CONTROLLER}
    return bool(answering or report.get("cells") or (report.get("hosts") and report.get("exit") != REFUSED))


def _bad(report: Document, site: Site) -> Iterator[str]:
    """Yield hosts of outcomes and cells that are not good; where a cell's blamed host is not the site's, its other."""
    for outcome in report["outcomes"]:
        if EXIT_BY_STATUS.get(outcome["status"]) != GOOD:
            yield outcome["host"]
    for cell in rows_of(report, "cells"):
        if EXIT_BY_VERDICT.get(cell["verdict"]) != GOOD:
            host = blamed_host(cell)
            other = cell["from"] if host == cell["to"] else cell["to"]
            yield host if host in site.by_name else other
