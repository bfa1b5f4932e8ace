"""`python -m flows`: the list of commands, the version, and the way to each command."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence

import flows
from flows._render.summary import Line
from flows._run import commands, streams
from flows._run.options import Options
from flows._run.screen import Screen
from model.checkout import version
from model.errors import did_you_mean
from model.report.outcome import GOOD, REFUSED

_FOOT = """\
Each is run as `python -m flows.NAME` or `python -m flows NAME`, and `--help` behind it teaches with an example."""


def main(arguments: Sequence[str]) -> int:
    """Return the exit code of what the arguments ask for."""
    screen = Screen(Options())
    if not arguments or arguments[0] in ("--help", "-h"):
        screen.lines(listing())
        return GOOD
    if arguments[0] == "--version":
        screen.lines([Line(f"matrix-fleet {version()}")])
        return GOOD
    name = arguments[0]
    if name not in commands.names():
        near = did_you_mean(name, commands.names())
        screen.error(f"no command {name}{near}", "`python -m flows` lists all")
        return REFUSED
    sys.argv = [name, *arguments[1:]]
    runpy.run_module(f"{flows.__name__}.{name}", run_name="__main__", alter_sys=True)
    return GOOD


def listing() -> list[Line]:
    """Return every command with its first sentence."""
    lines = {name: commands.describe(name)[""].line for name in commands.names()}
    width = max(map(len, lines))
    return [
        Line("matrix-fleet: servers to Kubernetes and Matrix, with every port enforced and proven", "bold"),
        *(Line(f"{name:<{width}}  {line}", indent=2, hang=width + 2) for name, line in lines.items()),
        Line(_FOOT, hang=0),
    ]


if __name__ == "__main__":
    streams.install()
    sys.exit(main(sys.argv[1:]))
