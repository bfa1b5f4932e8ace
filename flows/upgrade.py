"""Bring the cluster to another version, node by node, while its services go on answering."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows._cluster.upgrade.rolling import bring_up
from flows._run import cli
from flows._run.lifecycle import run_flow
from flows._run.options import Options
from flows._run.shared import shared_flags

HELP = """Bring the cluster to the versions of another offline bundle: one minor version at a time, never back.

First everything is looked at: every node ready, every member of etcd healthy, versions that fit. Then the bundle is
staged on all nodes at once, beside what runs. Then each node in turn is closed, its pods moved (one of a service at a
time, disruption budgets respected), upgraded by kubeadm, and opened again once it is ready at the new version and every
workload has its pods: control planes first, then workers. kubeadm runs as a unit on the node that ends what it began
even when this process does not. A run that was cut short is repeated: nodes that are there are skipped.

\b
python -m flows.upgrade --to-bundle bundles/1.37 --dry-run   who would go from which version to which
python -m flows.upgrade --to-bundle bundles/1.37             one node at a time
python -m flows.upgrade --parallel 3                         to the bundle that site.yaml names, three workers at a time

Afterwards name the new bundle and version in site.yaml. Pods that nobody would start again elsewhere need --yes.

Example: python -m flows.upgrade --to-bundle bundles/1.37 --dry-run
"""

ToBundle = Annotated[
    Path | None, typer.Option("--to-bundle", metavar="DIR", help="The bundle; without it the one that site.yaml names.")
]
Parallel = Annotated[int, typer.Option(min=1, max=50, metavar="N", help="Workers that are upgraded at once.")]


@shared_flags()
def main(
    to_bundle: ToBundle = None,
    parallel: Parallel = 1,
    *,
    options: Options,
) -> int:
    return run_flow("upgrade", options, lambda context: bring_up(context, to_bundle, parallel), changes=True)


main.__doc__ = f"\b\n{HELP}"

if __name__ == "__main__":
    cli.run(main, "flows.upgrade")
