"""Checks of identity: every host is another one than all others, and the one that the site takes it for."""

from __future__ import annotations

from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.preflight.view import PreflightView
from model.host.machine_facts import MachineFacts
from model.site.hosts import Machine


def hostname(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """
    Find hosts that call themselves otherwise than the inventory does; by another one's name, or as a node, is an error.
    """
    own = facts.identity.hostname
    short = own.partition(".")[0]
    if own == machine.name:
        return
    if short in view.site.by_name and short != machine.name:
        what = f"calls itself {own}, and that is another host of the site"
        yield Finding(what, f"correct `hostname` of {machine.name} and {short} in hosts.yaml", Severity.ERROR)
    elif facts.ours:
        remedy = f"hostnamectl set-hostname {machine.name}: kubelet registers under this name"
        yield Finding(f"is a node, and calls itself {own} by now", remedy, Severity.ERROR)
    else:
        yield Finding(f"calls itself {own}")


def machine_id(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find hosts that share /etc/machine-id with another, as copies of one image do, and those that have none."""
    if not facts.identity.machine_id:
        yield Finding("has no machine-id")
    if others := view.sharing(machine.name, lambda other: other.identity.machine_id):
        yield Finding(f"has the same machine-id as {', '.join(others)}")


def product_uuid(view: PreflightView, machine: Machine, _facts: MachineFacts) -> Iterator[Finding]:
    """Find hosts that share the hardware's product_uuid with another, as copies of one virtual machine do."""
    if others := view.sharing(machine.name, lambda other: other.identity.product_uuid):
        yield Finding(f"has the same product_uuid as {', '.join(others)}")


def hardware_address(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find interfaces that share their hardware address with one of another host."""
    for mac in sorted(_macs(facts)):
        others = [name for name, other in view.facts.items() if name != machine.name and mac in _macs(other)]
        if others:
            names = ", ".join(link.name for link in facts.network.links if link.mac == mac)
            yield Finding(f"its {names} has the same hardware address {mac} as {', '.join(others)}")


def _macs(facts: MachineFacts) -> frozenset[str]:
    """Addresses of interfaces that hold an address of the site; bridges of container runtimes look alike everywhere."""
    return frozenset(
        link.mac
        for link in facts.network.links
        if link.mac.strip("0:")
        and any(not address.is_link_local for address in link.addresses)
        and not _internal(link.name)
    )


def _internal(name: str) -> bool:
    return name.startswith(("docker", "br-", "cni", "flannel", "cali", "virbr", "veth", "kube-", "vxlan."))


CHECKS = (
    Check(
        id="hostname",
        severity=Severity.WARNING,
        judge=hostname,
        remedy="nothing: the operating system's phase gives it the name of hosts.yaml",
    ),
    Check(
        id="machine-id",
        judge=machine_id,
        remedy="rm /etc/machine-id && systemd-machine-id-setup && reboot",
    ),
    Check(
        id="product-uuid",
        judge=product_uuid,
        remedy="give the virtual machine a UUID of its own",
    ),
    Check(
        id="mac-address",
        judge=hardware_address,
        remedy="give the virtual machine's interface an address of its own",
    ),
)
