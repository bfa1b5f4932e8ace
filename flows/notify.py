"""Tell people what is new and what is gone since they were told last."""

from __future__ import annotations

from typing import Annotated

import typer

from flows._run import cli
from flows._run.lifecycle import run_flow
from flows._run.options import Options
from flows._run.shared import SUDO, shared_flags
from flows._schedule.notify import notify, try_out

HELP = """Tell everybody under `compliance.notify` in site.yaml what the latest run of flows.compliance found that \
they do not know yet.

\b
command   a program of this machine; it gets the news as JSON on standard input
mail      by the machine's own mail server (the interface of sendmail)
matrix    a message to a room; the access token lies in a file that only its owner may read

Each is told of a finding once, and once more when it is gone. Who cannot be told is told with the next news; the
findings are in the report of compliance in any case. The timer of flows.schedule calls this after every run. --dry-run
shows what would be told; --trial sends everybody a message that says it is one.

Example: python -m flows.notify --trial
"""

Trial = Annotated[bool, typer.Option("--trial", help="Send a message that says it is a trial, and remember nothing.")]


@shared_flags(without=(*SUDO, "limit", "yes"))
def main(
    trial: Trial = False,
    *,
    options: Options,
) -> int:
    return run_flow("notify", options, try_out if trial else notify)


main.__doc__ = f"\b\n{HELP}"

if __name__ == "__main__":
    cli.run(main, "flows.notify")
