"""Which rules of others decide about packets on their way to a host's firewall, or on their way out of the host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address

from model import bits
from model.base import Address
from model.matrix.matrix import openings
from model.packets.iptables_save import PASSING
from model.packets.kernel_rules import KernelRules, read
from model.packets.known_rules import ORCHESTRATORS
from model.packets.packet import Packet
from model.packets.passage import beside, in_chains
from model.packets.publishing import NODE_PORTS
from model.packets.ruling import Ruling
from model.site.hosts import Machine
from model.site.rows import Interval
from model.site.site import Site
from model.ufw.foreign_rules import Rulesets

_PROTOCOLS = ("tcp", "udp", "vrrp")
# A host that nobody knows, of each IP version.
_ANYBODY = (ip_address("203.0.113.77"), ip_address("2001:db8::77"))
# Overlay networks admit their own packets from nodes alone, by sets that they keep.
_OVERLAY = bits.from_ports((4789, 8472))


def early_rules(
    site: Site, machine: Machine, rulesets: Rulesets, interfaces: Mapping[Address, str] | None = None
) -> tuple[Ruling, ...]:
    """
    Return what rules that are not the firewall's do to packets of anybody for the host, and to its own where a row
    opens their way; each rule once. `interfaces`: by address, where the host has told them.

    Raises ValueError for rules that cannot be read.
    """
    rules = replace(read(rulesets.saved, rulesets.legacy, rulesets.nft), devices=rulesets.devices)
    known = interfaces or {}
    found: dict[str, Ruling] = {}
    for ruling in (
        *_inward(site, machine, rules, known),
        *_in_known_chains(site, machine, rules, known),
        *_outward(site, machine, rules, known),
    ):
        found.setdefault(ruling.rule.words, ruling)
    return tuple(found.values())


def _inward(site: Site, machine: Machine, rules: KernelRules, interfaces: Mapping[Address, str]) -> Iterator[Ruling]:
    own = [address for _, address in machine.every]
    for address in _asked(site, machine, interfaces):
        for protocol in _PROTOCOLS:
            packet = Packet(None, address, protocol, interfaces.get(address))
            yield from beside(rules, "in", packet, own, site.machine_networks)


def _asked(site: Site, machine: Machine, interfaces: Mapping[Address, str]) -> tuple[Address, ...]:
    shared = [address for address in site.settings.kubernetes.endpoint.addresses if address in interfaces]
    return tuple(dict.fromkeys((*(address for _, address in machine.every), *shared)))


def _in_known_chains(
    site: Site, machine: Machine, rules: KernelRules, interfaces: Mapping[Address, str]
) -> Iterator[Ruling]:
    """
    Yield what chains that carry the names of a cluster's programs do, where the firewall stands, to packets that come
    from no pod: those programs meet there what pods send, what is marked as theirs, and ports of Services.
    """
    if not _filters(rules):
        return
    own = [address for _, address in machine.every]
    for address in _asked(site, machine, interfaces):
        for source in _sources(site, rules, address.version):
            for protocol in _PROTOCOLS:
                packet = Packet(source, address, protocol, interfaces.get(address))
                for ruling in in_chains(rules, packet, ORCHESTRATORS, own, site.machine_networks):
                    theirs = NODE_PORTS if ruling.rule.chain.startswith("KUBE-") else 0
                    theirs |= _OVERLAY if ruling.effect == "unknown" and protocol == "udp" else 0
                    if kept := ruling.ports & ~theirs:
                        yield replace(ruling, ports=kept)


def _filters(rules: KernelRules) -> bool:
    """Return whether such a chain of a filter table decides anything: most hosts have none."""
    tables = [chains for (_, table), chains in rules.tables.items() if table == "filter"]
    found = [steps for chains in tables for name, steps in chains.steps.items() if name.startswith(ORCHESTRATORS)]
    return any(step.target not in PASSING | {"RETURN"} for steps in found for step in steps)


def _sources(site: Site, rules: KernelRules, version: int) -> tuple[Address, ...]:
    """One sender of each kind that these chains tell apart: somebody, and one of each network that they name."""
    pods = site.settings.kubernetes.pod_cidrs
    found = {address: None for address in _ANYBODY if address.version == version}
    for (_, table), chains in rules.tables.items():
        for name, steps in chains.steps.items() if table == "filter" else ():
            for step in steps if name.startswith(ORCHESTRATORS) else ():
                if step.match.source and not step.match.source[0]:
                    address = step.match.source[1].network_address
                    inside = address.is_loopback or any(address in cidr for cidr in pods)
                    if address.version == version and not inside:
                        found[address] = None
    return tuple(found)


def _outward(site: Site, machine: Machine, rules: KernelRules, interfaces: Mapping[Address, str]) -> Iterator[Ruling]:
    for address, opened in (*_servers(site, machine), *_beyond(site, machine)):
        source = machine.speaks(address.version)
        if source is None:
            continue
        for protocol, ports in opened.items():
            packet = Packet(source, address, protocol, interfaces.get(source))
            for ruling in beside(rules, "out", packet):
                if kept := ruling.ports & ports:
                    yield replace(ruling, ports=kept)


def _servers(site: Site, machine: Machine) -> Iterator[tuple[Address, dict[str, int]]]:
    """Yield every address of the other servers, with the ports that rows open there to this one, by protocol."""
    for other in site.servers:
        for address in other.own if other.name != machine.name else ():
            source = machine.speaks(address.version)
            if source is not None:
                yield address, _ports((part.protocol, part.interval) for part in openings(site, source, other, address))


def _beyond(site: Site, machine: Machine) -> Iterator[tuple[Address, dict[str, int]]]:
    """Yield addresses of what rows open to it beyond the servers; hosts outside stand for the internet."""
    outside = [address for vantage in site.vantages for address in vantage.own]
    for row in site.active_rows:
        if row.plane != "external" or not any(machine in site.machines_at(end) for end in row.source_ends):
            continue
        named = [network for end in row.destination_ends for network in site.networks_at(end)]
        single = [network.network_address for network in named if network.num_addresses == 1]
        for address in (*single, *(outside if "internet" in row.destination_ends else ())):
            yield address, _ports((row.protocol, interval) for interval in row.intervals)


def _ports(opened: Iterable[tuple[str, Interval]]) -> dict[str, int]:
    ports: dict[str, int] = {}
    for protocol, interval in opened:
        ports[protocol] = ports.get(protocol, 0) | bits.from_intervals([interval])
    return ports
