"""How each kind of fault is made and undone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from lab import containers, controller, hostfilter, network, routerfilter
from lab.commands import call
from lab.errors import LabError
from lab.fault import Fault
from lab.instance import Instance
from lab.plan import LabPlan

Act = Callable[[Instance, LabPlan, Fault], None]

# In brackets, so that the hunter's own argument does not match.
_WITNESS = "[m]atrix-fleet-witness"
_HUNT_SECONDS = 3600
_FULL_KIB = 64
_LOSS_PERCENT = 20
_SCRATCH = "/var/tmp"  # noqa: S108 - a folder of the host


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault; `about` is its line in `--help`."""

    about: str
    cause: Act
    mend: Act
    needs_port: bool = True


def kind(name: str) -> Kind:
    """Return a kind by its name; raises LabError with the names there are."""
    if name not in KINDS:
        raise LabError(f"no fault of kind {name!r}; there are {', '.join(KINDS)}")
    return KINDS[name]


def _hunt(instance: Instance, _: LabPlan, fault: Fault) -> None:
    loop = f"while :; do pkill -KILL -f '{_WITNESS}'; sleep 0.02; done"
    unit = ("systemd-run", f"--unit={fault.mark}", f"--property=RuntimeMaxSec={_HUNT_SECONDS}", "--quiet", "--collect")
    call(controller.entrance(instance, fault.at, (*unit, "/bin/sh", "-c", loop)))


def _stop_hunting(instance: Instance, _: LabPlan, fault: Fault) -> None:
    _on_living_host(instance, fault, ("systemctl", "stop", f"{fault.mark}.service"))


def _fill(instance: Instance, _: LabPlan, fault: Fault) -> None:
    mount = ("mount", "-t", "tmpfs", "-o", f"size={_FULL_KIB}k,mode=1777", fault.mark, _SCRATCH)
    call(controller.entrance(instance, fault.at, mount))
    call(controller.entrance(instance, fault.at, ("fallocate", "-l", f"{_FULL_KIB}KiB", f"{_SCRATCH}/full")))


def _empty(instance: Instance, _: LabPlan, fault: Fault) -> None:
    _on_living_host(instance, fault, ("umount", _SCRATCH))


def _on_living_host(instance: Instance, fault: Fault, argv: tuple[str, ...]) -> None:
    if containers.leader(instance, fault.at):
        # The host may have been rebooted since: then nothing of the fault is left.
        with contextlib.suppress(LabError):
            call(controller.entrance(instance, fault.at, argv))


def _lose(instance: Instance, plan: LabPlan, fault: Fault) -> None:
    devices = [network.peer(fault.at, number) for number in range(len(plan.host(fault.at).legs))]
    names = "{ " + ", ".join(devices) + " }"
    lossy = {"input": ("iifname",), "forward": ("iifname", "oifname"), "output": ("oifname",)}
    chains = "".join(
        f"chain {hook} {{\ntype filter hook {hook} priority 0\n"
        + "".join(f"{end} {names} numgen random mod 100 < {_LOSS_PERCENT} drop\n" for end in ends)
        + "}\n"
        for hook, ends in lossy.items()
    )
    table = f"table bridge {fault.mark} {{\n{chains}}}\n"
    network.within(instance, "", ("nft", "-f", "-"), table)


def _find_again(instance: Instance, _: LabPlan, fault: Fault) -> None:
    network.within(instance, "", ("nft", "-f", "-"), f"table bridge {fault.mark}\ndelete table bridge {fault.mark}\n")


def _filter(about: str, chain: str, *target: str, scoped: bool = True) -> Kind:
    return Kind(about, partial(hostfilter.insert, chain, target, scoped), hostfilter.remove)


KINDS: Mapping[str, Kind] = {
    "drop-in": _filter("HOST's kernel drops what arrives at --port (from --from only)", "INPUT", "DROP"),
    "reject-rst": _filter(
        "HOST's kernel answers a reset at --port (to --from only)", "INPUT", "REJECT", "--reject-with", "tcp-reset"
    ),
    "drop-out": _filter("HOST's kernel drops what it sends to --port, to anybody", "OUTPUT", "DROP", scoped=False),
    "extra-open": _filter("HOST's kernel lets --port in before any other rule (from --from only)", "INPUT", "ACCEPT"),
    "drop-router": Kind("router-1 drops what it forwards to HOST's --port", routerfilter.drop, routerfilter.remove),
    "snat": Kind(
        "router-1 hides the sources of what it forwards to HOST", routerfilter.hide, routerfilter.remove, False
    ),
    "loss": Kind("every fifth packet from and to HOST is lost", _lose, _find_again, False),
    "dead-witness": Kind(
        "a prober's witness on HOST is killed as soon as it appears, for an hour", _hunt, _stop_hunting, False
    ),
    "full-disk": Kind("HOST's /var/tmp has no byte left", _fill, _empty, False),
}
