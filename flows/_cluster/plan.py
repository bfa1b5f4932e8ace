"""The phases of a bootstrap, in order."""

from __future__ import annotations

from flows._cluster import preflight
from flows._cluster.cluster_run import Phase
from flows._cluster.phases import endpoint, firewall, members, network, ports, storage, system, verify
from model.errors import SelectionError, did_you_mean

PHASES = (
    Phase("preflight", "Look at every host before touching any", preflight.run, gate=True),
    Phase("os", "Set up the operating system", system.system, stages=True),
    Phase("runtime", "Set up the container runtime", system.container_runtime, stages=True),
    Phase("firewall", "Apply the host firewall", firewall.run),
    Phase("ports", "Prove every port of the matrix", ports.run),
    Phase("endpoint", "Give the Kubernetes API one address", endpoint.run),
    Phase("init", "Create the first control plane", members.init, vital=True),
    Phase("control-planes", "Join the other control planes, one at a time", members.control_planes),
    Phase("workers", "Join all other nodes", members.workers),
    Phase("cni", "Give pods a network", network.pods, foresee=network.foresee),
    Phase("labels", "Label and taint nodes by their roles", network.names, everywhere=False),
    Phase("storage", "Give pods volumes on declared disks", storage.run),
    Phase("verify", "Look at the cluster that stands now, from its API, its pods and by packets", verify.run),
)

NAMES = tuple(phase.name for phase in PHASES)


def names() -> tuple[str, ...]:
    """Return the names of the phases, in order."""
    return NAMES


def choose(first: str | None, last: str | None, only: str | None) -> tuple[Phase, ...]:
    """
    Return the phases that `--from`, `--to` and `--only` name; None says nothing.

    Raises `SelectionError` for a name that is none, and for names that exclude each other.
    """
    for flag, name in (("--from", first), ("--to", last), ("--only", only)):
        if name is not None and name not in NAMES:
            near = did_you_mean(name, NAMES)
            raise SelectionError(f"{flag} {name}: no such phase{near}; one of {', '.join(NAMES)}")
    if only and (first or last):
        raise SelectionError("--only excludes --from and --to")
    begin = NAMES.index(only or first or NAMES[0])
    end = NAMES.index(only or last or NAMES[-1])
    if begin > end:
        raise SelectionError(f"--from {first} comes after --to {last}")
    return PHASES[begin : end + 1]


def table() -> str:
    """Return the phases as lines for a person."""
    return "\n".join(f"{phase.name:<15} {phase.title}" for phase in PHASES)
