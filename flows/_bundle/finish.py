"""The end of a run over a bundle: what is shown, what is written for programs, the exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from flows._run import folder
from flows._run.context import FlowResult
from flows._run.options import Options
from flows._run.publish import CONTROLLER, Run
from flows._run.screen import Screen
from model.report.outcome import GOOD, REFUSED, Outcome, Status


def finish_run(
    started: datetime,
    options: Options,
    screen: Screen,
    name: str,
    outcomes: Sequence[Outcome],
    extra: Mapping[str, object] | None = None,
) -> int:
    """
    Show a summary of the bundle `name`, write the report that `--json` asks for, return the exit code.

    An outcome that failed counts as wrong (1) unless its evidence says that a server was not reached (3).
    """
    wrong = any(outcome.status is Status.FAILED and _wrong(outcome.evidence) for outcome in outcomes)
    result = FlowResult(
        outcomes=tuple(outcomes), hosts=(CONTROLLER,), forced=REFUSED if wrong else GOOD, extra=extra or {}
    )
    report = Run("bundle", options, started).report(name, (), result).to_json()
    failed = GOOD
    try:
        folder.hand_over(options.json, folder.canonical(report), screen.text)
    except OSError as error:
        screen.error(f"the report cannot be written: {error}", "give another path to --json")
        failed = REFUSED
    screen.summary(report, None)
    code = report["exit"]
    return failed or (code if isinstance(code, int) else REFUSED)


def _wrong(evidence: object) -> bool:
    return not isinstance(evidence, Mapping) or bool(evidence.get("wrong", True))
