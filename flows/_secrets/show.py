"""Showing a value to the person who asked for it, and to nobody else."""

from __future__ import annotations

import sys

from flows._run.context import Context, FlowResult
from flows._run.publish import CONTROLLER
from flows._secrets.status import subject
from model.errors import PlanRefused, SelectionError
from model.report.outcome import Outcome, Status
from model.rollout.secret_names import chosen_refs
from tasks.secrets.store import open_store


def show(context: Context, word: str, reveal: bool) -> FlowResult:
    """
    Write the values of a secret to standard output, past the log and the report, and nothing else.

    Raises `PlanRefused` where that is no terminal and nobody said `--reveal`.
    """
    if context.options.json_on_stdout:
        raise SelectionError("a value is never shown beside a report; leave out `--json -` and `--events -`")
    if not reveal and not sys.stdout.isatty():
        raise PlanRefused("standard output is no terminal, so a value would land in a file or a log", "add --reveal")
    store = open_store(context.site)
    refs = chosen_refs(context.site, [word])
    for ref in refs:
        value = store.value(ref.name, ref.key).decode("utf-8", "backslashreplace").rstrip("\n")
        context.screen.value(f"{value}\n" if len(refs) == 1 else f"{ref.key}: {value}\n")
    keys = ", ".join(ref.key for ref in refs)
    return FlowResult((Outcome(CONTROLLER, subject(refs[0].name), Status.OK, f"shown: {keys}"),), hosts=())
