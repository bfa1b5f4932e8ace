"""Make bare Debian servers a highly available Kubernetes cluster, and bring into it whatever is not yet in."""

from __future__ import annotations

from typing import Annotated

import typer

from flows._cluster.bootstrap import bootstrap
from flows._cluster.plan import choose, names, table
from flows._run.cli import run
from flows._run.lifecycle import Context, FlowResult, run_flow
from flows._run.options import Options
from flows._run.shared import shared_flags

First = Annotated[
    str | None, typer.Option("--from", metavar="PHASE", help="Begin with this phase.", autocompletion=names)
]
Last = Annotated[str | None, typer.Option("--to", metavar="PHASE", help="End with this phase.", autocompletion=names)]
Only = Annotated[str | None, typer.Option(metavar="PHASE", help="Run this phase alone.", autocompletion=names)]
Purge = Annotated[bool, typer.Option("--purge", help="Remove firewall rules of hosts that were never managed before.")]


@shared_flags()
def main(
    first: First = None,
    last: Last = None,
    only: Only = None,
    purge: Purge = False,
    *,
    options: Options,
) -> int:
    chosen = choose(first, last, only)

    def body(context: Context) -> FlowResult:
        return bootstrap(context, chosen, purge=purge)

    return run_flow("bootstrap", options, body, changes=True)


main.__doc__ = f"""\b
Make bare Debian servers a highly available Kubernetes cluster.

Every phase looks first and changes only what is left to change, so a run that was cut short is simply repeated, and a
host that was dead is brought in by a later run. A run begins with everything that is wrong on any host, before one of
them is touched.

\b
{table()}

Example: python -m flows.bootstrap --dry-run
"""

if __name__ == "__main__":
    run(main, "flows.bootstrap")
