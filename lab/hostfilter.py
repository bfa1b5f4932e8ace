"""Rules put before all others in a host's own packet filter, and taken out again without touching ufw's."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from lab import network
from lab.fault import Fault
from lab.instance import Instance
from lab.plan import LabPlan

_TOOLS = {4: "iptables-nft", 6: "ip6tables-nft"}


def insert(chain: str, target: Sequence[str], scoped: bool, instance: Instance, plan: LabPlan, fault: Fault) -> None:
    """Put one rule a family (and source address, if `scoped`) at the top of a chain, on both families."""
    for version, tool in _TOOLS.items():
        for source in _sources(plan, fault, version) if scoped else ((),):
            match = (*source, "-p", fault.protocol, "--dport", fault.ports.replace("-", ":"))
            note = ("-m", "comment", "--comment", fault.mark)
            network.within(instance, fault.at, (tool, "-w", "5", "-I", chain, "1", *match, *note, "-j", *target))


def _sources(plan: LabPlan, fault: Fault, version: int) -> Iterable[tuple[str, ...]]:
    if not fault.source:
        return ((),)
    addresses = (address for leg in plan.host(fault.source).legs for address in leg.addresses)
    return (("-s", str(address)) for address in addresses if address.version == version)


def remove(instance: Instance, _: LabPlan, fault: Fault) -> None:
    """Take out every rule that carries the fault's mark; none is left on a host that lost its power since."""
    if not network.exists(instance.namespace(fault.at)):
        return
    for tool in _TOOLS.values():
        for rule in network.within(instance, fault.at, (tool, "-w", "5", "-S")).splitlines():
            words = shlex.split(rule)
            if words[0] == "-A" and fault.mark in words:
                network.within(instance, fault.at, (tool, "-w", "5", "-D", *words[1:]))
