"""Make bare Debian servers a highly available Kubernetes cluster, and bring into it whatever is not yet in."""

from __future__ import annotations

from typing import Annotated

import typer

from flows._cluster.bootstrap import bootstrap
from flows._cluster.plan import choose, table
from flows._run import options as flags
from flows._run import sudo
from flows._run.cli import run
from flows._run.lifecycle import Context, FlowResult, run_flow

First = Annotated[str | None, typer.Option("--from", metavar="PHASE", help="Begin with this phase.")]
Last = Annotated[str | None, typer.Option("--to", metavar="PHASE", help="End with this phase.")]
Only = Annotated[str | None, typer.Option(metavar="PHASE", help="Run this phase alone.")]
Purge = Annotated[bool, typer.Option("--purge", help="Remove firewall rules of hosts that were never managed before.")]


def main(
    first: First = None,
    last: Last = None,
    only: Only = None,
    purge: Purge = False,
    inventory: flags.Inventory = flags.DEFAULT_INVENTORY,
    limit: flags.Limit = None,
    ask_sudo_password: sudo.AskPassword = False,
    sudo_password_fd: sudo.PasswordDescriptor = None,
    dry_run: flags.DryRun = False,
    json: flags.Json = None,
    yes: flags.Yes = False,
    verbose: flags.Verbose = False,
    quiet: flags.Quiet = False,
    no_color: flags.NoColor = False,
) -> int:
    sudo.take_password(ask_sudo_password, sudo_password_fd)
    chosen = choose(first, last, only)
    options = flags.Options(
        inventory=inventory,
        limit=limit,
        dry_run=dry_run,
        json=json,
        yes=yes,
        verbose=verbose,
        quiet=quiet,
        no_color=no_color,
    )

    def body(context: Context) -> FlowResult:
        return bootstrap(context, chosen, purge=purge)

    return run_flow("bootstrap", options, body, changes=True)


main.__doc__ = f"""\b
Make bare Debian servers a highly available Kubernetes cluster.

Every phase looks first and changes only what is left to change, so a run that was cut short is simply repeated, and a host that was
dead is brought in by a later run. A run begins with everything that is wrong on any host, before one of them is touched.

\b
{table()}

Example: python -m flows.bootstrap --dry-run
"""

if __name__ == "__main__":
    run(main, "flows.bootstrap")
