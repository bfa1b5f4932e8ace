"""How `python -m flows.<name>` becomes a call, and its result an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.exceptions import Abort, TyperException

from flows._run import streams
from flows._run.context import FlowResult
from flows._run.help import Application
from flows._run.options import DEFAULT_INVENTORY, ENVIRONMENT, Options
from flows._run.publish import CONTROLLER, Run, publish
from flows._run.screen import Screen
from model.errors import FleetError
from model.report.outcome import GOOD, INTERRUPTED, REFUSED, Outcome, Status
from model.site.load import load_site


def application(text: str = "") -> typer.Typer:
    """
    Return an empty application for a flow with several commands.

    `text` is its help, kept as written after a `\\b` line.
    """
    return Application(
        help=text or None,
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )


def run(command: typer.Typer | Callable[..., int], name: str) -> NoReturn:
    """
    Run a flow's application, or its one command, with the process's arguments, and exit with its code.

    `name` is the module's, as in `flows.firewall`.
    """
    streams.install()
    code = execute(command, name, sys.argv[1:])
    lost = streams.broken(sys.stdout)
    if lost is not None and not isinstance(lost, BrokenPipeError):
        # A reader that has had enough is nothing wrong; a full disk is.
        Screen(Options()).error(
            f"standard output cannot be written: {lost.strerror or lost}", "make room, then run again"
        )
        code = code or REFUSED
    sys.exit(code)


def execute(command: typer.Typer | Callable[..., int], name: str, arguments: Sequence[str]) -> int:
    """Return the exit code of a command. Wrong arguments are 1 here, since 2 means drift."""
    code = GOOD
    app = command if isinstance(command, typer.Typer) else application()
    if app is not command:
        app.command()(command)
    program = f"python -m {name}"
    try:
        answer: Any = app(args=list(arguments), prog_name=program, standalone_mode=False)
        code = answer if isinstance(answer, int) else GOOD
        sys.stdout.flush()
    except TyperException as error:
        return _usage(name, program, arguments, error.format_message().replace("Value error, ", ""))
    except (Abort, KeyboardInterrupt):
        return INTERRUPTED
    except FleetError as error:
        Screen(Options()).error(str(error), error.next_step)
        return REFUSED
    return code


def _usage(name: str, program: str, arguments: Sequence[str], message: str) -> int:
    """
    Tell what is wrong with the arguments; if they ask for a report and name a site that loads, write one that says so.
    """
    target = _value(arguments, "--json")
    step = f"`{program} --help` shows what there is, with an example"
    inventory = _value(arguments, "--inventory") or os.environ.get(ENVIRONMENT) or DEFAULT_INVENTORY
    options = Options(inventory=Path(inventory), json=target)
    screen = Screen(options)
    screen.error(message, step)
    if target is None:
        return REFUSED
    try:
        site = load_site(options.inventory)
    except FleetError:
        return REFUSED
    job = Run(name.rpartition(".")[2], options, datetime.now(UTC))
    outcome = Outcome(CONTROLLER, "arguments", Status.FAILED, message, next=step)
    return publish(
        job, job.report(site.name, (), FlowResult((outcome,), hosts=(), forced=REFUSED)), screen, refused=True
    )


def _value(arguments: Sequence[str], flag: str) -> str | None:
    """Find a flag's value in arguments that could not be parsed."""
    for index, argument in enumerate(arguments):
        if argument.startswith(f"{flag}="):
            return argument.partition("=")[2]
        if argument == flag and index + 1 < len(arguments):
            return arguments[index + 1]
    return None
