"""Check that the site's files hold together, before anything connects anywhere."""

from __future__ import annotations

from typing import Annotated

import typer

from flows._render.summary import Line
from flows._run import cli
from flows._run.lifecycle import Context, FlowResult, run_flow
from flows._run.options import Options
from flows._run.publish import CONTROLLER
from flows._run.screen import Screen
from flows._run.shared import SUDO, shared_flags
from model.check import lint
from model.check.finding import Severity
from model.report.outcome import GOOD, REFUSED, Outcome, Status

HELP = """Check the site's files: every wrong field of every file at once, and named rules for traps that well-formed \
files still hold.

Connects to nothing. Every other flow does this first and stops on errors. A waiver in site.yaml whose `id` is a rule's
name turns what the rule finds into `waived` until its day; after that it is drift.

Exit codes: 0 nothing or warnings only, 1 errors, 2 a waiver has lapsed.

Example: python -m flows.lint --inventory inventory
"""
SUBJECT = "site files"

Rules = Annotated[bool, typer.Option("--rules", help="List every rule with what goes wrong without it, and stop.")]


@shared_flags(without=SUDO)
def main(
    *,
    options: Options,
    rules: Rules = False,
) -> int:
    if rules:
        Screen(options).lines([Line(f"{rule.id:<24}{rule.severity:<9}{rule.why}") for rule in lint.RULES])
        return GOOD
    return run_flow("lint", options, _examine, lint_first=False)


main.__doc__ = f"\b\n{HELP}"


def _examine(context: Context) -> FlowResult:
    """Report what the rules find, of the selected hosts where it is about a host."""
    findings = [finding for finding in lint.findings(context.site) if not finding.host or finding.host in context.hosts]
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    lapsed = sum(finding.check == "waiver-expired" for finding in findings)
    outcomes = []
    if lapsed:
        step = "repair what they cover and remove them, or have their owners renew them"
        message = f"{lapsed} waivers have lapsed" if lapsed > 1 else "a waiver has lapsed"
        outcomes.append(Outcome(CONTROLLER, "waivers", Status.DRIFT, message, next=step))
    if errors:
        message = f"{errors} errors" if errors > 1 else "one error"
        step = "correct each error that is named with its file and field, then run it again"
        outcomes.append(Outcome(CONTROLLER, SUBJECT, Status.FAILED, message, next=step))
    else:
        message = f"{len(lint.RULES)} rules find no error"
        outcomes.append(Outcome(CONTROLLER, SUBJECT, Status.OK, message))
    extra = {"findings": [lint.as_json(finding) for finding in findings]}
    return FlowResult(tuple(outcomes), hosts=(), forced=REFUSED if errors else GOOD, extra=extra)


if __name__ == "__main__":
    cli.run(main, "flows.lint")
