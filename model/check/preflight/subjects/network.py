"""Checks of the network: a host has the declared addresses, routes and links, and its packets get through whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.judgement import links
from model.check.preflight.questions import outbound, peers
from model.check.preflight.view import PreflightView
from model.host.host_facts import Unseen
from model.host.machine_facts import MachineFacts
from model.host.shared_facts import Link
from model.site.hosts import Machine


def missing(_view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find declared addresses that the host does not have."""
    # A host that lacks the program to tell its addresses is another check's finding.
    if "ip" in facts.system.programs:
        yield from map(Finding, links.missing_addresses(machine, facts.network.links))


def undeclared(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find addresses that the site does not know: no port of them would be proven."""
    settings = view.site.settings
    known = {address for _, address in machine.every} | set(settings.kubernetes.endpoint.addresses)
    inside = (*settings.kubernetes.pod_cidrs, *settings.kubernetes.service_cidrs)
    for address, link in facts.network.addresses.items():
        local = address.is_loopback or address.is_link_local
        if not local and address not in known and not any(address in cidr for cidr in inside):
            yield Finding(f"has {address} on {link.name}, which the site does not declare")


def routes(_view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find hosts without a default route, by which Kubernetes finds its own address."""
    if "ip" in facts.system.programs and not facts.network.default_routes:
        yield Finding("has no default route")


def mtu(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find interfaces whose largest packet is not that of most hosts in the same network."""
    others = [
        link.mtu
        for name, other in view.facts.items()
        if view.site.by_name[name].network == machine.network
        for link in _own(view.site.by_name[name], other)
    ]
    usual = Counter(others).most_common(1)
    for link in _own(machine, facts):
        if link.mtu != usual[0][0]:
            yield Finding(f"its {link.name} has an MTU of {link.mtu}, and most of its network have {usual[0][0]}")


def path(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """
    Find ways between hosts on which the largest packets get lost; where no ping is answered nobody can tell.

    Raises `Unseen` for a way of which the host said nothing at all.
    """
    for address, tried in facts.asked.paths.items():
        if tried.small and not tried.large:
            yield Finding(f"packets of {tried.mtu} bytes do not reach {address}, and small ones do")
        elif not tried.small:
            why = (
                "answers no ping" if "ping" in facts.system.programs else "could not be pinged: iputils-ping is missing"
            )
            yield Finding(f"{address} {why}, so whether large packets reach it is not known", severity=Severity.PENDING)
    untold = [str(address) for address in peers(view.site, machine) if address not in facts.asked.paths]
    if untold:
        raise Unseen(f"the host said nothing of its way to {', '.join(untold)}")


def speed(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find links that are slower than their network should be; a link that does not tell is none."""
    yield from map(Finding, links.slow_links(view.site, machine, facts.network.links))


def reaches(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """
    Find hosts that do not get to where their packages and images are to come from.

    Raises `Unseen` for a place of which the host said nothing at all.
    """
    places = outbound(view.site, machine)
    for place in places:
        came = facts.asked.connects.get(place)
        if came is not None and came.result != "open":
            yield Finding(f"does not get to {place[0]}:{place[1]}: {came.result}")
    untold = [f"{name}:{port}" for name, port in places if (name, port) not in facts.asked.connects]
    if untold:
        raise Unseen(f"the host did not say whether it gets to {', '.join(untold)}")


def _own(machine: Machine, facts: MachineFacts) -> set[Link]:
    """Return the interfaces that hold the addresses it speaks from."""
    return {link for address in machine.own if (link := facts.network.addresses.get(address))}


CHECKS = (
    Check(
        id="address-missing",
        judge=missing,
        remedy="give the host that address, or correct hosts.yaml",
    ),
    Check(
        id="address-undeclared",
        judge=undeclared,
        remedy="declare it under `data.addresses` in hosts.yaml, or remove it",
    ),
    Check(id="default-route", severity=Severity.WARNING, judge=routes, remedy="set a default gateway"),
    Check(
        id="mtu-differs", severity=Severity.WARNING, judge=mtu, remedy="set the same MTU on every host of the network"
    ),
    Check(
        id="path-mtu",
        judge=path,
        remedy="set the interface's MTU to what the network between them carries",
    ),
    Check(
        id="link-slow",
        severity=Severity.WARNING,
        judge=speed,
        remedy="look at cable, port and negotiation (ethtool), or set `speed_mbps` in site.yaml",
    ),
    Check(
        id="outbound-closed",
        judge=reaches,
        remedy="open it (docs/firewall-request.md), name a proxy or mirror, or use a bundle",
    ),
)
