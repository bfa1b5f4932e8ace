"""The application's secrets: made here, kept encrypted, handed to the cluster alone."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from flows._run import cli
from flows._run.lifecycle import Context, FlowResult, run_flow
from flows._run.options import Options
from flows._run.shared import shared_flags
from flows._secrets.generate import generate
from flows._secrets.show import show
from flows._secrets.status import status
from model.errors import SelectionError

HELP = """Look at the secrets of the site, make those that are missing, hand them on, rotate them.

\b
python -m flows.secrets status              each secret: since when, until when, and what is wrong (the default)
python -m flows.secrets generate            make what is missing; what is there is never touched
python -m flows.secrets show NAME/KEY       one value, to a terminal alone; elsewhere it takes --reveal

Values lie in `secrets/` of the site's folder, encrypted by age. `MATRIX_FLEET_IDENTITY`, or `secrets.identity` in
site.yaml, names the key that opens them. No value is ever in a report, in a log or in an argument.

Example: python -m flows.secrets generate --dry-run
"""

Action = Annotated[
    Literal["status", "generate", "show"],
    typer.Argument(help="status (the default), generate or show."),
]
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME[/KEY]", help="Secrets of secrets.yaml.")]
Reveal = Annotated[bool, typer.Option("--reveal", help="`show`: also where standard output is no terminal.")]


@shared_flags()
def main(
    action: Action = "status",
    names: Names = None,
    reveal: Reveal = False,
    *,
    options: Options,
) -> int:
    words = tuple(names or ())
    _fit(action, words, reveal)

    def body(context: Context) -> FlowResult:
        if action == "show":
            return show(context, words[0], reveal)
        return generate(context) if action == "generate" else status(context)

    return run_flow("secrets", options, body, changes=action == "generate")


def _fit(action: str, words: tuple[str, ...], reveal: bool) -> None:
    if action == "show" and len(words) != 1:
        raise SelectionError("`show` takes one secret: NAME, or NAME/KEY")
    if action in ("status", "generate") and words:
        raise SelectionError(f"`{action}` takes no names")
    if reveal and action != "show":
        raise SelectionError("--reveal goes with `show`")


main.__doc__ = f"\b\n{HELP}"

if __name__ == "__main__":
    cli.run(main, "flows.secrets")
