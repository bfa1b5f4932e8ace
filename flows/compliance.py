"""Is everything that the checklist asks for so, item by item, with evidence?"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from checks.check import Check
from checks.discovery import chosen, every
from flows import _options as flags
from flows import _sudo as sudo
from flows._command import run
from flows._compliance import hosts_of, judged, look
from flows._hosts import closing
from flows._hosts import inventory as open_inventory
from flows._main import Context, Ingredients, conduct
from model.errors import SelectionError

Only = Annotated[
    list[str] | None, typer.Option("--check", metavar="ID", help="Only these checks; a subject stands for all of it.")
]
Phase = Annotated[
    Literal["prerequisites", "host", "cluster", "rollout"] | None, typer.Option(help="Only checks of this phase.")
]
Severity = Annotated[Literal["error", "warning"] | None, typer.Option(help="Only checks of at least this severity.")]


def main(
    check: Only = None,
    phase: Phase = None,
    severity: Severity = None,
    inventory: flags.Inventory = flags.DEFAULT_INVENTORY,
    limit: flags.Limit = None,
    ask_sudo_password: sudo.AskPassword = False,
    sudo_password_fd: sudo.PasswordDescriptor = None,
    json: flags.Json = None,
    verbose: flags.Verbose = False,
    quiet: flags.Quiet = False,
    no_color: flags.NoColor = False,
) -> int:
    """
    Look at every host once, judge every check of the checklist, and tell of each item what answers for it.

    Nothing is changed on any host.

    Example: python -m flows.compliance --check firewall --limit db-1
    """
    options = flags.Options(inventory, limit, json=json, verbose=verbose, quiet=quiet, no_color=no_color)
    checks = _selected(check or [], phase, severity)
    sudo.take_password(ask_sudo_password, sudo_password_fd)

    def body(context: Context) -> Ingredients:
        names = hosts_of(context)
        nr = open_inventory(options.inventory)
        with closing(nr):
            looked = look(nr, context, names)
        return Ingredients(judged(checks, looked, names), names)

    return conduct("compliance", options, body)


def _selected(words: list[str], phase: str | None, severity: str | None) -> tuple[Check, ...]:
    ids = [word.strip() for text in words for word in text.split(",") if word.strip()]
    try:
        checks = chosen(every(), ids)
    except KeyError as error:
        raise SelectionError(f"--check {error.args[0]}: no such check; `--list` shows all") from None
    found = tuple(
        each for each in checks if phase in (None, each.phase) and (severity != "error" or each.severity == "error")
    )
    if not found:
        raise SelectionError("no check is left; widen --check, --phase or --severity")
    return found


if __name__ == "__main__":
    run(main, "flows.compliance")
