"""Do hosts, networks and the cluster's CIDRs have addresses that can live side by side?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from itertools import combinations

from model.base import Address, Network
from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.lint.flaw import LintView, flaw
from model.site.settings import Settings
from model.site.site import Site


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
    for machine in view.site.machines:
        for network, address in machine.every:
            path = f"{machine.name}.data.addresses.{network}"
            cidrs = view.site.settings.networks[network].cidrs
            around = next((cidr for cidr in cidrs if address in cidr), None)
            if around is None:
                fix = f"an address within {_list(cidrs)}, or the network it belongs to"
                yield flaw(
                    "hosts.yaml",
                    path,
                    value=address,
                    message=f"lies outside network {network}",
                    fix=fix,
                    host=machine.name,
                )
            elif _reserved(address, around):
                message = f"is the network or broadcast address of {around}"
                yield flaw(
                    "hosts.yaml", path, value=address, message=message, fix="choose a host address", host=machine.name
                )


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
    for (one, first), (two, second) in combinations(plans.items(), 2):
        isolated = " and one of them is isolated" if first.isolated != second.isolated else ""
        for left, right in _overlaps(first.cidrs, second.cidrs):
            message = f"overlaps {left} of network {one}{isolated}"
            yield flaw(
                "site.yaml",
                f"networks.{two}.cidrs",
                value=right,
                message=message,
                fix="networks must not share addresses",
            )


def cidr_overlap(view: LintView) -> Iterator[Finding]:
    """Find pod and service CIDRs that hide something of the site: packets to it would never leave the node."""
    settings = view.site.settings
    pods, services = settings.kubernetes.pod_cidrs, settings.kubernetes.service_cidrs
    for left, right in _overlaps(pods, services):
        message = f"overlaps the pod CIDR {left}"
        yield flaw(
            "site.yaml", "kubernetes.service_cidrs", value=right, message=message, fix="choose a free private range"
        )
    for word, cidrs in (("pod_cidrs", pods), ("service_cidrs", services)):
        for place, around in _taken(view.site):
            for cidr, other in _overlaps(cidrs, (around,)):
                message = f"overlaps {other} ({place}); it spans {cidr[0]} to {cidr[-1]}"
                yield flaw(
                    "site.yaml",
                    f"kubernetes.{word}",
                    value=cidr,
                    message=message,
                    fix="choose a private range used nowhere else",
                )


def _taken(site: Site) -> Iterator[tuple[str, Network]]:
    """Everything with an address besides pods and services, the widest word once."""
    settings = site.settings
    yield from ((f"network {name}", cidr) for name, plan in settings.networks.items() for cidr in plan.cidrs)
    known = [cidr for plan in settings.networks.values() for cidr in plan.cidrs]
    for place, address in _single(site, settings):
        if not any(address in cidr for cidr in known):
            yield place, ip_network(address)
    for place, cidrs in (("management", settings.management), ("admins", settings.admins)):
        yield from ((place, cidr) for cidr in cidrs if cidr.prefixlen and cidr not in known)


def _single(site: Site, settings: Settings) -> Iterator[tuple[str, Address]]:
    for machine in site.machines:
        yield from ((f"host {machine.name}", address) for _, address in machine.every)
        try:
            yield f"hostname of {machine.name}", ip_address(machine.hostname)
        except ValueError:
            continue
    yield from (("the API endpoint", address) for address in settings.kubernetes.endpoint.addresses)
    yield from (("dns", address) for address in (*settings.dns.main, *settings.dns.li))
    yield from (("ntp", address) for address in settings.ntp)
    for name, external in settings.external.items():
        yield from ((f"external.{name}", address) for address in external.addresses)


def _overlaps(ones: tuple[Network, ...], twos: tuple[Network, ...]) -> Iterator[tuple[Network, Network]]:
    for network in ones:
        yield from ((network, other) for other in twos if network.version == other.version and network.overlaps(other))


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
