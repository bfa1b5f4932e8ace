"""Let compliance run by itself, as an identity that can only look: set it up, look at it, take it away."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from flows._run import cli
from flows._run.lifecycle import run_flow
from flows._run.options import Options
from flows._run.shared import shared_flags
from flows._schedule.installation import hosts, install, remove, status

HELP = """Run `flows.compliance` by a timer of systemd on this machine, as an account that can change nothing on any \
host.

\b
python -m flows.schedule install   as root, on the machine that is to run it: an account with a key of its own, which
                                   on every host may start the collector and the probe agents, by their digests, and
                                   nothing else; tried there; then a hardened service and its timer
python -m flows.schedule hosts     the hosts' part alone: after an upgrade of matrix-fleet, or for a new host
python -m flows.schedule status    when it runs next, how it ended last, and whether all is as install makes it
python -m flows.schedule remove    takes everything away again, here and on hosts, and needs --yes; reports stay.
                                   With --limit: the identity off those hosts, and nothing off this machine

site.yaml says when and who is told: `compliance: {schedule: {calendar: "*-*-* 05:00"}, notify: [...]}`. Install it
again after a change there. What differs is shown by --dry-run; a second run changes nothing. docs/schedule.md tells
what a machine needs.

Example: sudo .venv/bin/python -m flows.schedule install --inventory site --dry-run
"""

Action = Annotated[
    Literal["install", "hosts", "status", "remove"], typer.Argument(help="install, hosts, status or remove.")
]
_ACTIONS = {"install": install, "hosts": hosts, "status": status, "remove": remove}


@shared_flags()
def main(
    action: Action,
    *,
    options: Options,
) -> int:
    return run_flow("schedule", options, _ACTIONS[action], changes=action != "status")


main.__doc__ = f"\b\n{HELP}"

if __name__ == "__main__":
    cli.run(main, "flows.schedule")
