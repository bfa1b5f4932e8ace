"""Make every host's firewall hold exactly what the port matrix says."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import typer

from flows._firewall.adopt import take_over
from flows._firewall.apply import apply_firewall
from flows._firewall.restore import restore
from flows._run import cli
from flows._run.lifecycle import run_flow
from flows._run.options import Options
from flows._run.shared import shared_flags
from model.errors import SelectionError

HELP = """Make every host's ufw hold exactly what the port matrix says: both families, kernel and files.

All hosts are looked at before any is touched. Where the matrix would lock out the address that a host sees this session
come from, nothing is changed anywhere. Each change is watched by a rollback on the host that survives this process and
a reboot. A host that was never managed and has ufw rules of its own is left alone until `adopt` or --purge says what to
do with them.

Exit codes: 0 every host is as declared or was made so, 1 refused and nothing changed, 2 with --dry-run something would
change, 3 a host could not be asked or changed.

\b
python -m flows.firewall                      apply
python -m flows.firewall adopt --limit db-1   write rows for the rules db-1 has into ports.yaml
python -m flows.firewall restore db-1         bring back what was there before the last change

Example: python -m flows.firewall --limit database --dry-run
"""

Action = Annotated[
    Literal["apply", "adopt", "restore"],
    typer.Argument(help="apply (the default), adopt, or restore with the names of hosts."),
]
Hosts = Annotated[list[str] | None, typer.Argument(metavar="HOST", help="The hosts to restore.")]
Hold = Annotated[float, typer.Option(min=0, max=3600, metavar="SECONDS", help="Wait between applying and proving.")]
Purge = Annotated[bool, typer.Option("--purge", help="Remove the rules of hosts that were never managed before.")]


@shared_flags()
def main(
    action: Action = "apply",
    hosts: Hosts = None,
    *,
    options: Options,
    hold: Hold = 0.0,
    purge: Purge = False,
) -> int:
    named = tuple(hosts or ())
    if (action == "restore") != bool(named):
        raise SelectionError(
            "`restore` needs the names of hosts" if not named else f"`{action}` takes hosts by --limit"
        )
    if named:
        options = replace(options, limit=",".join(named))
    bodies = {"apply": lambda context: apply_firewall(context, purge=purge, hold=hold), "adopt": take_over}
    body = bodies.get(action, lambda context: restore(context, hold))
    return run_flow("firewall", options, body, changes=True)


main.__doc__ = f"\b\n{HELP}"


if __name__ == "__main__":
    cli.run(main, "flows.firewall")
