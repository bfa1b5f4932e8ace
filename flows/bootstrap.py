"""Make bare Debian servers a highly available Kubernetes cluster, and bring into it whatever is not yet in."""

from __future__ import annotations

from typing import Annotated

import typer

from flows import _options as flags
from flows import _sudo as sudo
from flows._bootstrap import bootstrap
from flows._command import run
from flows._main import Context, Ingredients, conduct
from flows._phases import endpoint, firewall, members, network, ports, preflight, storage, system, verify
from flows._phases.work import Phase
from model.errors import SelectionError

PHASES = (
    Phase("preflight", "Look at every host before touching any", preflight.run, gate=True),
    Phase("os", "Set up the operating system", system.system),
    Phase("runtime", "Set up the container runtime", system.container_runtime),
    Phase("firewall", "Apply the host firewall", firewall.run),
    Phase("ports", "Prove every port of the matrix", ports.run),
    Phase("endpoint", "Give the Kubernetes API one address", endpoint.run),
    Phase("init", "Create the first control plane", members.init),
    Phase("control-planes", "Join the other control planes, one at a time", members.control_planes),
    Phase("workers", "Join all other nodes", members.workers),
    Phase("cni", "Give pods a network", network.pods),
    Phase("labels", "Label and taint nodes by their roles", network.names, everywhere=False),
    Phase("storage", "Give pods volumes on declared disks", storage.run),
    Phase("verify", "Look at the cluster that stands now, from its API, its pods and by packets", verify.run),
)
NAMES = tuple(phase.name for phase in PHASES)

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
    chosen = _chosen(first, last, only)
    options = flags.Options(inventory, limit, dry_run, json, yes, verbose, quiet, no_color)

    def body(context: Context) -> Ingredients:
        return bootstrap(context, chosen, purge=purge)

    return conduct("bootstrap", options, body, changes=True)


def _chosen(first: str | None, last: str | None, only: str | None) -> tuple[Phase, ...]:
    for flag, name in (("--from", first), ("--to", last), ("--only", only)):
        if name is not None and name not in NAMES:
            raise SelectionError(f"{flag} {name}: no such phase; one of {', '.join(NAMES)}")
    if only and (first or last):
        raise SelectionError("--only excludes --from and --to")
    begin = NAMES.index(only or first or NAMES[0])
    end = NAMES.index(only or last or NAMES[-1])
    if begin > end:
        raise SelectionError(f"--from {first} comes after --to {last}")
    return PHASES[begin : end + 1]


_TABLE = "\n".join(f"{phase.name:<15} {phase.title}" for phase in PHASES)
main.__doc__ = f"""\b
Make bare Debian servers a highly available Kubernetes cluster.

Every phase looks first and changes only what is left to change, so a run that was cut short is simply repeated, and a host that was
dead is brought in by a later run. A run begins with everything that is wrong on any host, before one of them is touched.

\b
{_TABLE}

Example: python -m flows.bootstrap --dry-run
"""

if __name__ == "__main__":
    run(main, "flows.bootstrap")
