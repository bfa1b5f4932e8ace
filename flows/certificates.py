"""The cluster's certificates: how long they hold, and their renewal without anybody noticing."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from flows._cluster.certificates import renew, status
from flows._run import cli
from flows._run.lifecycle import run_flow
from flows._run.options import Options
from flows._run.shared import shared_flags

HELP = """Look at the certificates of the cluster, or renew them.

\b
python -m flows.certificates status    each certificate of every node: subject and days left; under 30 days is drift
python -m flows.certificates renew     what kubeadm made: one control plane at a time, etcd, API server, controller
                                       manager and scheduler restarted one by one, each waited for

`renew` is refused while a member of etcd is not healthy. The API goes on answering through the endpoint. kubelets renew
their own certificates; what they ask for is approved where the site declares the names and addresses in it. The
authorities themselves hold for ten years and are not renewed. A run that was cut short is repeated: control planes that
were done are skipped.

Example: python -m flows.certificates status --json -
"""

Action = Annotated[Literal["status", "renew"], typer.Argument(help="status (the default) or renew.")]


@shared_flags()
def main(
    action: Action = "status",
    *,
    options: Options,
) -> int:
    return run_flow("certificates", options, status if action == "status" else renew, changes=action == "renew")


main.__doc__ = f"\b\n{HELP}"

if __name__ == "__main__":
    cli.run(main, "flows.certificates")
