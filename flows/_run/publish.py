"""What a flow found becomes a report in its folder, on the screen, and an exit code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from flows._render import html, junit, metrics, sarif
from flows._render.words import counted
from flows._run import folder as _folder
from flows._run.context import FlowResult
from flows._run.log import NAME as LOG
from flows._run.options import Options
from flows._run.screen import Screen
from model.check.lint import as_json, from_schema
from model.errors import SchemaErrors
from model.report.outcome import GOOD, REFUSED, Outcome, Status, worst
from model.report.plan_counts import plan_counts
from model.report.report import Report, silent

CONTROLLER = "controller"


@dataclass(frozen=True, slots=True)
class Run:
    """Which flow ran, how it was asked to, when it began (UTC); `changes`: it is there to change something."""

    flow: str
    options: Options
    started: datetime
    changes: bool = False

    def report(self, site: str, hosts: tuple[str, ...], result: FlowResult) -> Report:
        """Put the report together; a host that must be heard of and was not becomes `missing`."""
        expected = hosts if result.hosts is None else result.hosts
        quiet = silent(expected, result.outcomes) if result.forced == GOOD else []
        lost = tuple(
            Outcome(
                host, self.flow, Status.MISSING, "nothing was heard of it", next="run again with -v; report it as a bug"
            )
            for host in quiet
        )
        return Report(
            flow=self.flow,
            site=site,
            run="",
            started=self.started,
            ended=datetime.now(UTC),
            hosts=expected,
            outcomes=result.outcomes + lost,
            cells=result.cells,
            probes=result.probes,
            loss=result.loss,
            forced=result.forced,
            extra={**result.extra, **self._plan(result)},
        )

    def _plan(self, result: FlowResult) -> dict[str, object]:
        """Return the report's keys of a plan, or of what came of it; none where the run was stopped before its work."""
        if not self.changes or result.forced != GOOD:
            return {}
        dry_run = self.options.dry_run
        return {"dry_run": dry_run, "plan": plan_counts(result.outcomes, dry_run=dry_run).to_json()}


def publish(
    run: Run, report: Report, screen: Screen, place: _folder.RunFolder | None = None, *, refused: bool = False
) -> int:
    """
    Write the run's folder (`place`, if it was made already) and what `--json` asks for, show the summary, return the
    exit code. A run that was `refused` is not the latest where there is another.

    A report that cannot be written is told and costs exit 1: what happened is still shown.
    """
    document: Mapping[str, object] = {}
    folder: Path | None = None
    failed = GOOD
    texts: dict[str, str] = {}

    def files(name: str) -> Mapping[str, str]:
        nonlocal document
        document = replace(report, run=name).to_json()
        texts.update(renderings(document))
        return texts

    try:
        place = place or _folder.claim(run.options.inventory, run.flow, run.started)
        folder = place.publish(files, refused=refused)
        _folder.hand_over(run.options.json, texts["report.json"], screen.text)
        if run.options.json == "-" and screen.unread:
            screen.error("the report was asked for on standard output, and nobody reads it", f"it is in {folder}")
            # What was found keeps its exit code.
            failed = GOOD if report.exit else REFUSED
    except OSError as error:
        kept = f"; what the run said is in {place.draft / LOG}" if place and (place.draft / LOG).exists() else ""
        step = f"make room or give the right to write, then run again{kept}"
        screen.error(f"the report cannot be written: {error}", step)
        failed = REFUSED
    screen.summary(document or report.to_json(), folder)
    return worst((report.exit, failed))


def renderings(document: Mapping[str, object]) -> dict[str, str]:
    """Return the texts of a run's folder by file name."""
    text = _folder.canonical(document)
    texts = {"report.json": text, "report.xml": junit.render(document), "report.html": html.render(document)}
    if document.get("checks"):
        texts |= {"report.sarif": sarif.render(document), "metrics.prom": metrics.render(document)}
    if document.get("cells") is not None or document.get("proof"):
        # With all that judges cells behind it: most flows prove no ports.
        from model.verify.proof import summary

        texts[_folder.PROOF] = json.dumps(summary(document), separators=(",", ":")) + "\n"
    return texts


def refuse_site(run: Run, error: SchemaErrors, screen: Screen) -> int:
    """
    Tell what is wrong with a site that could not be loaded; with `--json` as a report too, outside the broken folder.
    """
    screen.error(f"the site in {run.options.inventory} cannot be loaded:\n{error}")
    if run.options.json:
        findings = [as_json(finding) for finding in from_schema(error.errors)]
        count = f"{counted(len(findings), 'wrong value')} in the site's files"
        step = "correct each value that is named with its file and field; `python -m flows.lint` checks again"
        outcome = Outcome(CONTROLLER, run.flow, Status.FAILED, count, next=step)
        result = FlowResult(outcomes=(outcome,), hosts=(), forced=REFUSED, extra={"findings": findings})
        name = run.options.inventory.resolve().name
        try:
            text = _folder.canonical(run.report(name, (), result).to_json())
            _folder.hand_over(run.options.json, text, screen.text)
        except OSError as failure:
            screen.error(f"the report cannot be written: {failure}")
    return REFUSED
