"""etcd: its state, snapshots of it, and the way back from one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows._cluster.etcd.restore import restore
from flows._cluster.etcd.snapshot import snapshot
from flows._cluster.etcd.status import status
from flows._run import cli
from flows._run.lifecycle import Context, FlowResult, run_flow
from flows._run.options import Options
from flows._run.shared import shared_flags
from model.errors import SelectionError

HELP = """Look at etcd, take a snapshot of it, or bring the cluster back from one.

\b
python -m flows.etcd status                  members, leader, health, size, alarms, snapshots (the default)
python -m flows.etcd snapshot                taken on a healthy member, verified there by reading it, kept in
                                             /var/lib/matrix-fleet/etcd-snapshots (0600) of every control plane
python -m flows.etcd snapshot --output FILE  a copy for the controller, too: keep it as you keep secrets
python -m flows.etcd restore NAME --yes      when most control planes are lost: the one that is left becomes a cluster
                                             of one member with the snapshot's content (NAME as in status, or a FILE
                                             here)

A snapshot holds every object. Secrets in it are encrypted with a key that only the control planes have: with the last
of them the content of Secrets is lost. A restore is refused while etcd has its quorum. Control planes that answer are
reset by it; those that were dead must be reset when they are back, all in one command, before `python -m
flows.bootstrap` lets them join.

Example: python -m flows.etcd snapshot --output /backup/etcd.db
"""

Action = Annotated[Literal["status", "snapshot", "restore"], typer.Argument(help="status, snapshot or restore.")]
Name = Annotated[str | None, typer.Argument(metavar="SNAPSHOT", help="What to restore: a name, or a file here.")]
Output = Annotated[Path | None, typer.Option(metavar="FILE", help="Bring the snapshot to the controller, too (0600).")]


@shared_flags()
def main(
    action: Action = "status",
    name: Name = None,
    output: Output = None,
    *,
    options: Options,
) -> int:
    if (action == "restore") != (name is not None):
        raise SelectionError("`restore` needs a snapshot" if name is None else f"`{action}` takes no snapshot")
    if output is not None and action != "snapshot":
        raise SelectionError("--output goes with `snapshot`")

    def body(context: Context) -> FlowResult:
        if action == "status":
            return status(context)
        return restore(context, name) if name is not None else snapshot(context, output)

    return run_flow("etcd", options, body, changes=action != "status")


main.__doc__ = f"\b\n{HELP}"

if __name__ == "__main__":
    cli.run(main, "flows.etcd")
