"""Which rules of others decide about packets on their way to a host's firewall, or on their way out of the host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from model import bits
from model.base import Address
from model.matrix.matrix import openings
from model.packets.kernel_rules import KernelRules, read
from model.packets.packet import Packet
from model.packets.passage import beside
from model.packets.ruling import Ruling
from model.site.hosts import Machine
from model.site.site import Site
from model.ufw.foreign_rules import Rulesets

_PROTOCOLS = ("tcp", "udp", "vrrp")


def early_rules(
    site: Site, machine: Machine, rulesets: Rulesets, interfaces: Mapping[Address, str] | None = None
) -> tuple[Ruling, ...]:
    """
    Return what rules that are not the firewall's do to packets of anybody for the host, and to its own where a row
    opens their way; each rule once. `interfaces`: by address, where the host has told them.

    Raises ValueError for rules that cannot be read.
    """
    rules = read(rulesets.saved, rulesets.legacy, rulesets.nft)
    found: dict[str, Ruling] = {}
    for ruling in (*_inward(site, machine, rules, interfaces or {}), *_outward(site, machine, rules, interfaces or {})):
        found.setdefault(ruling.rule.words, ruling)
    return tuple(found.values())


def _inward(site: Site, machine: Machine, rules: KernelRules, interfaces: Mapping[Address, str]) -> Iterator[Ruling]:
    own = [address for _, address in machine.every]
    shared = [address for address in site.settings.kubernetes.endpoint.addresses if address in interfaces]
    for address in dict.fromkeys((*own, *shared)):
        for protocol in _PROTOCOLS:
            yield from beside(rules, "in", Packet(None, address, protocol, interfaces.get(address)), own)


def _outward(site: Site, machine: Machine, rules: KernelRules, interfaces: Mapping[Address, str]) -> Iterator[Ruling]:
    for other in site.servers:
        for address in other.own if other.name != machine.name else ():
            source = machine.speaks(address.version)
            if source is None:
                continue
            opened: dict[str, int] | None = None
            for protocol in _PROTOCOLS:
                packet = Packet(source, address, protocol, interfaces.get(source))
                for ruling in beside(rules, "out", packet):
                    if opened is None:
                        opened = _opened(site, source, other, address)
                    if ports := ruling.ports & opened.get(protocol, 0):
                        yield replace(ruling, ports=ports)


def _opened(site: Site, source: Address, machine: Machine, address: Address) -> dict[str, int]:
    opened: dict[str, int] = {}
    for part in openings(site, source, machine, address):
        opened[part.protocol] = opened.get(part.protocol, 0) | bits.from_intervals([part.interval])
    return opened
