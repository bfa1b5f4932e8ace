"""Judge everything that the checklist asks for, item by item, with evidence."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from checks.check import ComplianceCheck
from checks.discovery import chosen, every
from flows._compliance.judging import comply
from flows._compliance.kept import prune, publish_metrics
from flows._compliance.remediation import fix, owners
from flows._compliance.shown import explain, list_all
from flows._fleet.hosts import closing
from flows._fleet.inventory import inventory as open_inventory
from flows._run.cli import run
from flows._run.lifecycle import Context, FlowResult, run_flow
from flows._run.options import Options
from flows._run.screen import Screen
from flows._run.shared import shared_flags
from flows._schedule.identity import assume, setting_of
from model.errors import SelectionError, did_you_mean
from model.report.outcome import REFUSED, Outcome, worst


def _ids() -> list[str]:
    """Return what may stand behind --check."""
    return list(dict.fromkeys(word for check in every() for word in (check.id.partition("/")[0], check.id)))


Only = Annotated[
    list[str] | None,
    typer.Option(
        "--check", metavar="ID", help="Only these checks; a subject stands for all of it.", autocompletion=_ids
    ),
]
Phase = Annotated[
    Literal["prerequisites", "host", "cluster", "rollout"] | None, typer.Option(help="Only checks of this phase.")
]
Severity = Annotated[Literal["error", "warning"] | None, typer.Option(help="Only checks of at least this severity.")]
Fix = Annotated[
    bool, typer.Option("--fix", help="Show what the flows that own the drift would do, have it done, and look again.")
]
Explain = Annotated[
    str | None, typer.Option("--explain", metavar="ID", help="Show everything about a check or an item.")
]
Scheduled = Annotated[
    bool,
    typer.Option(
        "--scheduled", help="Look as the identity of flows.schedule: with its key, by what lies on the hosts."
    ),
]
List = Annotated[
    bool, typer.Option("--list", help="Show all checks and items, and what answers for each; look at nothing.")
]


@shared_flags(without=("dry_run",))
def main(
    check: Only = None,
    phase: Phase = None,
    severity: Severity = None,
    listed: List = False,
    explained: Explain = None,
    *,
    options: Options,
    fixed: Fix = False,
    scheduled: Scheduled = False,
) -> int:
    """
    Look at every host once, judge every check of the checklist, and tell of each item what answers for it.

    Nothing is changed on any host, unless --fix asks the flows that own the drift to mend it. With --check, --phase or
    --severity only those checks are judged, and items are not told.

    Example: python -m flows.compliance --check firewall --limit db-1
    """
    checks = _selected(check or [], phase, severity)
    if explained is not None:
        return explain(options, explained)
    if listed:
        return list_all(options, checks)
    if scheduled and fixed:
        raise SelectionError("--scheduled looks as somebody who can change nothing: --fix is for another run")
    first = replace(options, json=None, quiet=options.quiet or options.json_on_stdout) if fixed else options
    code, outcomes = _run(first, checks, scheduled=scheduled)
    if not fixed or not fix(options, owners(checks, outcomes)):
        return code
    return _run(options, checks)[0]


def _run(
    options: Options, checks: tuple[ComplianceCheck[...], ...], *, scheduled: bool = False
) -> tuple[int, tuple[Outcome, ...]]:
    """Look, judge, report, and let go of old runs; return the exit code and the outcomes."""
    contexts: list[Context] = []
    outcomes: list[Outcome] = []

    def body(context: Context) -> FlowResult:
        contexts.append(context)
        nr = open_inventory(options.inventory)
        if scheduled:
            assume(nr, setting_of(context.site, options.inventory, Path(sys.executable)))
        with closing(nr):
            result = comply(nr, context, checks, whole=len(checks) == len(every()))
        outcomes.extend(result.outcomes)
        return result

    code = run_flow("compliance", options, body)
    return worst((code, *(_kept(context) for context in contexts))), tuple(outcomes)


def _kept(context: Context) -> int:
    """Hand the run's figures to Prometheus and let go of the oldest runs."""
    settings, folder = context.site.settings.compliance, context.options.inventory
    prune(folder, settings.keep_runs)
    # Figures of some hosts would pass for those of all.
    if settings.textfile is not None and context.options.limit is None:
        try:
            publish_metrics(folder, context.started.isoformat(), folder / settings.textfile)
        except OSError as error:
            Screen(context.options).error(
                f"{settings.textfile} cannot be written: {error.strerror}", "correct `compliance.textfile`"
            )
            return REFUSED
    return 0


def _selected(words: list[str], phase: str | None, severity: str | None) -> tuple[ComplianceCheck[...], ...]:
    ids = [word.strip() for text in words for word in text.split(",") if word.strip()]
    try:
        checks = chosen(every(), ids)
    except KeyError as error:
        word = error.args[0]
        raise SelectionError(f"--check {word}: no such check{did_you_mean(word, _ids())}; `--list` shows all") from None
    selected = tuple(
        check for check in checks if phase in (None, check.phase) and (severity != "error" or check.severity == "error")
    )
    if not selected:
        raise SelectionError("no check is left; widen --check, --phase or --severity")
    return selected


if __name__ == "__main__":
    run(main, "flows.compliance")
