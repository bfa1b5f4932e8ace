"""The application's secrets: made here, kept encrypted, handed to the cluster alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from flows._run import cli
from flows._run.lifecycle import Context, FlowResult, run_flow
from flows._run.options import Options
from flows._run.shared import shared_flags
from flows._secrets.export import export
from flows._secrets.generate import generate
from flows._secrets.recipients import recipients
from flows._secrets.rotate import rotate
from flows._secrets.show import show
from flows._secrets.status import status
from flows._secrets.taking import from_cluster, from_file, from_standard_input
from model.errors import SelectionError, did_you_mean

HELP = """Look at the secrets of the site, make those that are missing, hand them on, rotate them.

\b
python -m flows.secrets status              each secret: since when, until when, and what is wrong (the default)
python -m flows.secrets generate            make what is missing; what is there is never touched
python -m flows.secrets rotate NAME         its plan and the gap to expect, then its steps, up to a message that arrives
python -m flows.secrets show NAME/KEY       one value, to a terminal alone; elsewhere it takes --reveal
python -m flows.secrets import              take over what the cluster holds and the store lacks; NAME: what differs too
python -m flows.secrets import NAME/KEY --stdin    a value that a person brings
python -m flows.secrets export --output FILE       an encrypted copy: all of `main`, or the secrets that are named
python -m flows.secrets recipients          encrypt anew for those whom site.yaml names; --init makes a key first

Values lie in `secrets/` of the site's folder, encrypted by age. `MATRIX_FLEET_IDENTITY`, or `secrets.identity` in
site.yaml, names the key that opens them. No value is ever in a report, in a log or in an argument.

Example: python -m flows.secrets generate --dry-run
"""

ACTIONS = ("status", "generate", "rotate", "show", "export", "import", "recipients")
Action = Annotated[
    str,
    typer.Argument(metavar="ACTION", help="What to do; status is the default.", autocompletion=lambda: list(ACTIONS)),
]
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME[/KEY]", help="Secrets of secrets.yaml.")]
Reveal = Annotated[bool, typer.Option("--reveal", help="`show`: also where standard output is no terminal.")]
Init = Annotated[bool, typer.Option("--init", help="`recipients`: make the key of who runs this (age, 0600).")]
Stdin = Annotated[bool, typer.Option("--stdin", help="`import`: the value comes from standard input.")]
Source = Annotated[
    str | None,
    typer.Option("--from", metavar="NAMESPACE/SECRET[/KEY]", help="`import`: what it is called in the cluster."),
]
File = Annotated[Path | None, typer.Option(metavar="FILE", help="`import`: from a file that was exported.")]
Output = Annotated[Path | None, typer.Option(metavar="FILE", help="`export`: the file to write (0600).")]
Recipients = Annotated[
    list[str] | None,
    typer.Option("--recipient", metavar="KEY", help="`export`: for this public key, or file with one; repeatable."),
]
_CHANGES = ("generate", "rotate", "import", "recipients")


@shared_flags()
def main(
    action: Action = "status",
    names: Names = None,
    reveal: Reveal = False,
    init: Init = False,
    stdin: Stdin = False,
    source: Source = None,
    file: File = None,
    output: Output = None,
    recipient: Recipients = None,
    *,
    options: Options,
) -> int:
    if action not in ACTIONS:
        raise SelectionError(f"{action}: no such action{did_you_mean(action, ACTIONS)}; one of {', '.join(ACTIONS)}")
    words = tuple(names or ())
    _number_of_names(action, words)
    given = {"--reveal": reveal, "--init": init, "--stdin": stdin, "--from": source, "--file": file}
    _own_flags(action, given | {"--output": output, "--recipient": recipient})
    if action == "export" and output is None:
        raise SelectionError("`export` needs --output FILE")

    def body(context: Context) -> FlowResult:
        if action == "export" and output is not None:
            return export(context, words, output, tuple(recipient or ()))
        if action == "import":
            if stdin:
                return from_standard_input(context, words[0])
            return from_file(context, file, words) if file is not None else from_cluster(context, words, source)
        acts: Mapping[str, Callable[[], FlowResult]] = {
            "status": lambda: status(context),
            "generate": lambda: generate(context),
            "rotate": lambda: rotate(context, words),
            "show": lambda: show(context, words[0], reveal),
            "recipients": lambda: recipients(context, init),
        }
        return acts[action]()

    return run_flow("secrets", options, body, changes=action in _CHANGES)


def _number_of_names(action: str, words: tuple[str, ...]) -> None:
    if action == "show" and len(words) != 1:
        raise SelectionError("`show` takes one secret: NAME, or NAME/KEY")
    if action == "rotate" and not words:
        raise SelectionError("`rotate` needs the name of a secret")
    if action in ("status", "generate", "recipients") and words:
        raise SelectionError(f"`{action}` takes no names")


def _own_flags(action: str, given: Mapping[str, object]) -> None:
    """Refuse flags of another action, and two sources of one import."""
    belongs = {
        "show": ("--reveal",),
        "recipients": ("--init",),
        "import": ("--stdin", "--from", "--file"),
        "export": ("--output", "--recipient"),
    }
    for flag, value in given.items():
        if value and flag not in belongs.get(action, ()):
            owner = next(name for name, flags in belongs.items() if flag in flags)
            raise SelectionError(f"{flag} goes with `{owner}`")
    sources = [flag for flag in belongs["import"] if given[flag]]
    if len(sources) > 1:
        raise SelectionError(f"{' and '.join(sources)}: one of them at a time")


main.__doc__ = f"\b\n{HELP}"

if __name__ == "__main__":
    cli.run(main, "flows.secrets")
