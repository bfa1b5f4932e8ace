"""Is every host another one than all others, and the one that the site takes it for?"""

from __future__ import annotations

from collections.abc import Iterator

from model.host.machine_facts import MachineFacts
from model.preflight.finding import Check, Seen, View
from model.site.hosts import Machine


def hostname(view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """
    Find hosts that call themselves otherwise than the inventory does; by another one's name, or as a node, is an error.
    """
    own = facts.identity.hostname
    short = own.partition(".")[0]
    if own == machine.name:
        return
    if short in view.site.by_name and short != machine.name:
        what = f"calls itself {own}, and that is another host of the site"
        yield Seen(what, f"correct `hostname` of {machine.name} and {short} in hosts.yaml", "error")
    elif facts.ours:
        remedy = f"hostnamectl set-hostname {machine.name}: kubelet registers under this name"
        yield Seen(f"is a node, and calls itself {own} by now", remedy, "error")
    else:
        yield Seen(f"calls itself {own}")


def machine_id(view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find hosts that share /etc/machine-id with another, as copies of one image do, and those that have none."""
    if not facts.identity.machine_id:
        yield Seen("has no machine-id")
    if others := view.sharing(machine.name, lambda each: each.identity.machine_id):
        yield Seen(f"has the same machine-id as {', '.join(others)}")


def product_uuid(view: View, machine: Machine, _facts: MachineFacts) -> Iterator[Seen]:
    """Find hosts that share the hardware's product_uuid with another, as copies of one virtual machine do."""
    if others := view.sharing(machine.name, lambda each: each.identity.product_uuid):
        yield Seen(f"has the same product_uuid as {', '.join(others)}")


def hardware_address(view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find interfaces that share their hardware address with one of another host."""
    for mac in sorted(_macs(facts)):
        others = [name for name, each in view.facts.items() if name != machine.name and mac in _macs(each)]
        if others:
            names = ", ".join(link.name for link in facts.network.links if link.mac == mac)
            yield Seen(f"its {names} has the same hardware address {mac} as {', '.join(others)}")


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
    Check("hostname", "warning", hostname, "nothing: the operating system's phase gives it the name of hosts.yaml"),
    Check("machine-id", "error", machine_id, "rm /etc/machine-id && systemd-machine-id-setup && reboot"),
    Check("product-uuid", "error", product_uuid, "give the virtual machine a UUID of its own"),
    Check("mac-address", "error", hardware_address, "give the virtual machine's interface an address of its own"),
)
