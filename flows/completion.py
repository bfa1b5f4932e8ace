"""Print the script that lets a shell complete the names of commands and their flags."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from flows._run import cli
from flows._run.completion import SCRIPTS
from flows._run.options import Options
from flows._run.screen import Screen
from model.report.outcome import GOOD

HELP = """Print a script that makes bash, zsh or fish complete commands, their flags and the words behind them.

It completes `python -m flows NAME` and `python -m flows.NAME`, for python3 and .venv/bin/python, too. The script holds
the flags of this checkout: print it anew after an upgrade.

\b
python -m flows completion bash >~/.local/share/matrix-fleet.bash    and in ~/.bashrc: source that file
python -m flows completion zsh >~/.local/share/matrix-fleet.zsh      and in ~/.zshrc, behind compinit: source that file
python -m flows completion fish >~/.config/fish/conf.d/matrix-fleet.fish

Example: source <(python -m flows completion bash)
"""

Shell = Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="bash, zsh or fish.")]


def main(shell: Shell) -> int:
    Screen(Options()).text(SCRIPTS[shell]())
    return GOOD


main.__doc__ = f"\b\n{HELP}"

if __name__ == "__main__":
    cli.run(main, "flows.completion")
