"""Rules of addresses: those of hosts, networks and the cluster's CIDRs can live side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from model.base import Address, Network
from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.judgement.declared import POD_CIDR, cluster_overlaps, misplaced, overlaps
from model.check.lint.flaw import LintView, flaw


def duplicate_address(view: LintView) -> Iterator[Finding]:
    """Find an address held twice: by two hosts, or by a host and a gateway that is not itself."""
    holders: dict[Address, list[tuple[str, str]]] = defaultdict(list)
    for machine in view.site.machines:
        for network, address in machine.every:
            holders[address].append((machine.name, f"{machine.name}.data.addresses.{network}"))
    for name, plan in view.site.settings.networks.items():
        for address in plan.gateway:
            for host, path in holders.get(address, ()):
                if view.site.by_name[host].kind != "perimeter":
                    fix = "give the host another address"
                    yield flaw(
                        "hosts.yaml",
                        path,
                        value=address,
                        message=f"is the gateway of network {name}",
                        fix=fix,
                        host=host,
                    )
    for address, held in holders.items():
        first = held[0][1]
        for host, path in held[1:]:
            yield flaw(
                "hosts.yaml",
                path,
                value=address,
                message=f"{first} has it too",
                fix="one address, one host, once",
                host=host,
            )


def duplicate_name(view: LintView) -> Iterator[Finding]:
    """Find names that mean two things in a selection, and two hosts behind one SSH door."""
    doors: dict[tuple[str, int], str] = {}
    for machine in view.site.machines:
        if machine.name in view.site.roles:
            yield flaw(
                "hosts.yaml",
                machine.name,
                value=machine.name,
                message="is a role's name too",
                fix="rename the host",
                host=machine.name,
            )
        door = (machine.hostname, machine.port)
        if door in doors:
            message = f"{doors[door]} is reached there too"
            fix = "each host needs a hostname and port of its own"
            yield flaw(
                "hosts.yaml",
                f"{machine.name}.hostname",
                value=f"{door[0]}:{door[1]}",
                message=message,
                fix=fix,
                host=machine.name,
            )
        doors.setdefault(door, machine.name)


def address_outside_network(view: LintView) -> Iterator[Finding]:
    """Find host addresses that the network they are filed under does not contain."""
    outside = {(machine.name, network, address) for machine, network, address in misplaced(view.site)}
    for machine in view.site.machines:
        for network, address in machine.every:
            cidrs = view.site.settings.networks[network].cidrs
            reserved = next((cidr for cidr in cidrs if address in cidr and _reserved(address, cidr)), None)
            if (machine.name, network, address) in outside:
                message = f"lies outside network {network}"
                fix = f"an address within {_list(cidrs)}, or the network it belongs to"
            elif reserved is not None:
                message, fix = f"is the network or broadcast address of {reserved}", "choose a host address"
            else:
                continue
            path = f"{machine.name}.data.addresses.{network}"
            yield flaw("hosts.yaml", path, value=address, message=message, fix=fix, host=machine.name)


def _reserved(address: Address, network: Network) -> bool:
    if network.prefixlen >= network.max_prefixlen - 1:
        return False
    return address == network.network_address or (address.version == 4 and address == network.broadcast_address)


def own_address(view: LintView) -> Iterator[Finding]:
    """Find hosts without an address in the network of their role: no rule could name them."""
    for machine in view.site.machines:
        if not machine.own:
            path = f"{machine.name}.data.addresses"
            fix = f"add addresses under `{machine.network}`"
            message = f"has no address in network {machine.network}, where its role {machine.roles[0]} lives"
            yield flaw(
                "hosts.yaml", path, value=", ".join(machine.addresses), message=message, fix=fix, host=machine.name
            )


def network_overlap(view: LintView) -> Iterator[Finding]:
    """Find networks that share addresses. A nested LI network is in every rule of the outer one."""
    plans = view.site.settings.networks
    for (name, first), (other, second) in combinations(plans.items(), 2):
        isolated = " and one of them is isolated" if first.isolated != second.isolated else ""
        for left, right in overlaps(first.cidrs, second.cidrs):
            message = f"overlaps {left} of network {name}{isolated}"
            yield flaw(
                "site.yaml",
                f"networks.{other}.cidrs",
                value=right,
                message=message,
                fix="networks must not share addresses",
            )


def cidr_overlap(view: LintView) -> Iterator[Finding]:
    """Find pod and service CIDRs that hide something of the site: packets to it would never leave the node."""
    for overlap in cluster_overlaps(view.site):
        cidr, between = overlap.cidr, overlap.place == POD_CIDR
        message = f"overlaps {overlap.other} ({overlap.place}); it spans {cidr[0]} to {cidr[-1]}"
        yield flaw(
            "site.yaml",
            f"kubernetes.{overlap.field}",
            value=cidr,
            message=f"overlaps {POD_CIDR} {overlap.other}" if between else message,
            fix="choose a free private range" if between else "choose a private range used nowhere else",
        )


def family_missing(view: LintView) -> Iterator[Finding]:
    """Find hosts that lack a family their network has: they cannot be proven on it."""
    for machine in view.site.machines:
        for network, addresses in machine.addresses.items():
            wanted = {cidr.version for cidr in view.site.settings.networks[network].cidrs}
            for version in sorted(wanted - {address.version for address in addresses}):
                message = f"has no IPv{version} address though network {network} is IPv{version} too"
                fix = f"add its IPv{version} address, or take the IPv{version} CIDR off the network"
                path = f"{machine.name}.data.addresses.{network}"
                yield flaw("hosts.yaml", path, value=_list(addresses), message=message, fix=fix, host=machine.name)


def _list(values: tuple[object, ...]) -> str:
    return ", ".join(str(value) for value in values)


CHECKS = (
    Check(
        id="duplicate-address",
        why="Two holders of one address answer each other's packets.",
        judge=duplicate_address,
    ),
    Check(
        id="duplicate-name",
        why="A name or an SSH door that means two hosts reaches the wrong one.",
        judge=duplicate_name,
    ),
    Check(
        id="address-outside-network",
        why="Rules and routes go by network.",
        judge=address_outside_network,
    ),
    Check(
        id="address-missing",
        why="A host without an address in its role's network is in no rule.",
        judge=own_address,
    ),
    Check(
        id="network-overlap",
        why="A nested isolated network is open to its surroundings.",
        judge=network_overlap,
    ),
    Check(
        id="cidr-overlap",
        why="Packets to what pods or services overlap never leave the node.",
        judge=cidr_overlap,
    ),
    Check(
        id="family-missing",
        severity=Severity.WARNING,
        why="Only the addresses a host declares are managed and proven.",
        judge=family_missing,
    ),
)
