"""What the kept runs of compliance say: what is new, how it went over time, what one check said, which runs go."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flows._render.document import rows_of
from flows._render.words import names
from flows._run import folder
from model.errors import SiteError
from model.report.outcome import EXIT_BY_STATUS, Outcome, Status

FLOW = "compliance"
_TREND = 60
_NAMED = 3
# Runs of some checks or hosts between two of all of them that are read at most.
_LOOKED_BACK = 30
Document = Mapping[str, Any]


def last(inventory: Path) -> Document | None:
    """Return the newest kept report; None where there is none that can be read."""
    try:
        return folder.read_report(folder.find_report(inventory, f"latest-{FLOW}"))
    except SiteError:
        return None


def known(inventory: Path) -> Document | None:
    """
    Return what earlier runs know: of every check of every host the newest outcome, back to the newest run of all of
    them.

    A report of its `run` (the newest), `outcomes` and `trend`. So a run of some checks, or one that was refused, hides
    nothing that an earlier one saw. None without any run.
    """
    outcomes: dict[tuple[str, str], object] = {}
    run, trend_of = "", None
    for place in folder.runs(inventory, FLOW)[: -_LOOKED_BACK - 1 : -1]:
        try:
            report = folder.read_report(place / "report.json")
        except SiteError:
            continue
        run = run or report["run"]
        trend_of = report.get("trend") if trend_of is None else trend_of
        for outcome in rows_of(report, "outcomes"):
            outcomes.setdefault((outcome["host"], outcome["subject"]), outcome)
        if _counted(report):
            break
    return {"run": run, "outcomes": list(outcomes.values()), "trend": trend_of or []} if run else None


def _counted(report: Document) -> bool:
    kept = rows_of(report, "trend")
    return bool(kept) and kept[-1]["started"] == report["started"]


def since(before: Document | None, outcomes: Sequence[Outcome]) -> dict[str, object] | None:
    """
    Return what is not good now and was before, and the other way round; only of what both runs looked at. None without
    an earlier run.

    What is said of a host in the same words about several checks, as of a dead one, is one line; drift comes first.
    """
    if before is None:
        return None
    was = {(outcome["host"], outcome["subject"]): outcome for outcome in rows_of(before, "outcomes")}
    new, gone = [], []
    for outcome in sorted(outcomes, key=lambda outcome: outcome.status is not Status.DRIFT):
        earlier = was.get((outcome.host, outcome.subject))
        bad = bool(EXIT_BY_STATUS[outcome.status])
        ill = earlier is not None and bool(EXIT_BY_STATUS[earlier["status"]])
        if bad and not ill:
            new.append((outcome.host, outcome.subject, outcome.message))
        elif ill and not bad and earlier is not None:
            gone.append((outcome.host, outcome.subject, f"was {earlier['status']} ({earlier['message']})"))
    return {"run": before["run"], "new": _lines(new), "gone": _lines(gone)}


def _lines(messages: Sequence[tuple[str, str, str]]) -> list[str]:
    subjects: dict[tuple[str, str], list[str]] = {}
    for host, subject, message in messages:
        subjects.setdefault((host, message), []).append(subject)
    return [f"{host} {names(of, _NAMED)}: {message}" for (host, message), of in subjects.items()]


def trend(before: Document | None, started: str, outcomes: Sequence[Outcome] | None) -> list[dict[str, object]]:
    """
    Return a line of counts by status a run, oldest first, this one last; without `outcomes` those of before are handed
    on.
    """
    kept = list(before.get("trend") or ()) if before else []
    if outcomes is None:
        return kept
    counts = Counter(outcome.status.value for outcome in outcomes)
    return [*kept[1 - _TREND :], {"started": started, **counts}]


def prune(
    inventory: Path, keep: int, flow: str = FLOW, only: Callable[[Document], bool] | None = None
) -> tuple[str, ...]:
    """
    Remove the oldest runs of a flow beyond `keep`; return their names. Reports of other flows stay, and with `only`
    those that it does not choose.
    """
    runs = folder.runs(inventory, flow)
    if only is not None:
        runs = [run for run in runs if _chosen(run, only)]
    gone = runs[:-keep] if keep < len(runs) else []
    for run in gone:
        shutil.rmtree(run, ignore_errors=True)
    return tuple(run.name for run in gone)


def _chosen(run: Path, only: Callable[[Document], bool]) -> bool:
    try:
        return only(folder.read_report(run / "report.json"))
    except SiteError:
        return False


def history(inventory: Path, check: str) -> Iterator[tuple[str, list[Document]]]:
    """Yield each kept run, oldest first, with what it said of a check."""
    for run in folder.runs(inventory, FLOW):
        report = folder.read_report(run / "report.json")
        yield run.name, [outcome for outcome in rows_of(report, "outcomes") if outcome["subject"] == check]


def publish_metrics(inventory: Path, started: str, target: Path) -> None:
    """
    Put the run's text where the node exporter reads it: whole or not at all; nothing where the run left no report, or
    one of some checks only, whose figures would pass for those of all.

    Raises OSError where it cannot be written.
    """
    report = last(inventory)
    if report is not None and report["started"] == started and report.get("items"):
        text = (inventory / "reports" / f"latest-{FLOW}" / "metrics.prom").read_text("utf-8")
        folder.write_json(str(target), text)
