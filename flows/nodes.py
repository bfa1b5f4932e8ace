"""Bring one host into the cluster, take one out, or put one in another's place; no other host is changed."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import typer

from flows._cluster.departure.node_removal import depart
from flows._cluster.node_join import arrive, replace
from flows._run import cli
from flows._run.lifecycle import Context, FlowResult, run_flow
from flows._run.options import Options
from flows._run.shared import shared_flags
from model.errors import SelectionError

HELP = """Bring hosts into the cluster, or take them out; only what is named is touched.

Everything is judged before anything is changed: a host goes only where etcd keeps its quorum without it; where etcd
could bear no further loss afterwards, that is said, and where a single member would stay it is agreed to with
--without-tolerance. A run that was cut short is repeated. `remove` and `reset` destroy and need --yes; look at
--dry-run first.

\b
python -m flows.nodes add w-2            make it a node: the phases of bootstrap for this host alone
python -m flows.nodes remove w-2 --yes   drain it, take it out of etcd and the cluster, end its containers;
                                         its files stay. For a dead host, too
python -m flows.nodes reset w-2 --yes    the same, then everything of Kubernetes goes from the host: units,
                                         containers, images, mounts, links, rules, /etc/kubernetes, etcd's data,
                                         logs of pods and the audit log
python -m flows.nodes replace w-2 w-3 --yes   add w-3, then remove w-2; a dead w-2 is removed first

What stays after `reset`: ufw and its rules, Debian packages, the programs in /usr/local/bin and /opt/cni/bin, the
staged bundle, the operating system's settings, snapshots of etcd in /var/lib/matrix-fleet/etcd-snapshots, data of
volumes, and a person's ~/.kube. Naming every node of the cluster ends the cluster.

Example: python -m flows.nodes reset w-2 --dry-run
"""

Action = Annotated[Literal["add", "remove", "reset", "replace"], typer.Argument(help="add, remove, reset or replace.")]
Hosts = Annotated[list[str], typer.Argument(metavar="HOST", help="The hosts; for replace the old and the new one.")]

WithoutTolerance = Annotated[
    bool,
    typer.Option("--without-tolerance", help="Agree that etcd is left with a single member."),
]


@shared_flags(without=("limit",))
def main(
    action: Action,
    hosts: Hosts,
    *,
    options: Options,
    without_tolerance: WithoutTolerance = False,
) -> int:
    if any(character in name for name in hosts for character in "*?[!,@"):
        raise SelectionError("hosts are named one by one here: no globs, no roles, no commas")
    if len(set(hosts)) != len(hosts):
        raise SelectionError("a host is named twice")
    if action == "replace" and len(hosts) != 2:
        raise SelectionError("`replace` takes two hosts: the old one and the new one")
    options = dataclasses.replace(options, limit=",".join(hosts))

    def body(context: Context) -> FlowResult:
        if set(context.hosts) != set(hosts):
            raise SelectionError(
                f"hosts are named one by one here, and {', '.join(hosts)} means {', '.join(context.hosts)}"
            )
        if action == "add":
            return arrive(context)
        if action == "replace":
            return replace(context, hosts[0], hosts[1], exposed=without_tolerance)
        return depart(context, action, exposed=without_tolerance)

    return run_flow("nodes", options, body, changes=True)


main.__doc__ = f"\b\n{HELP}"

if __name__ == "__main__":
    cli.run(main, "flows.nodes")
