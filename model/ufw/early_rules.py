"""Which rules of others decide about packets on their way to a host's firewall, or refuse what it sends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from model.base import Address
from model.packets.kernel_rules import read
from model.packets.packet import Packet
from model.packets.passage import early
from model.packets.ruling import Ruling
from model.ufw.foreign_rules import Rulesets

_PROTOCOLS = ("tcp", "udp", "vrrp")


def early_rules(
    rulesets: Rulesets, addresses: Iterable[Address], interfaces: Mapping[Address, str] | None = None
) -> tuple[Ruling, ...]:
    """
    Return what rules that are not the firewall's do to packets of anybody for these addresses, each rule once a
    protocol; `interfaces` where the host has told them.

    Raises ValueError for rules that cannot be read.
    """
    rules = read(rulesets.saved, rulesets.legacy, rulesets.nft)
    own = frozenset(addresses)
    found: dict[tuple[str, str], Ruling] = {}
    for address in sorted(own, key=lambda address: (address.version, address)):
        for protocol in _PROTOCOLS:
            packet = Packet(None, address, protocol, (interfaces or {}).get(address))
            for ruling in early(rules, packet, own):
                found.setdefault((ruling.rule.words, protocol), ruling)
    return _by_rule(found.values())


def _by_rule(rulings: Iterable[Ruling]) -> tuple[Ruling, ...]:
    """A rule that does the same to every protocol is told once."""
    once: dict[str, Ruling] = {}
    for ruling in rulings:
        once.setdefault(ruling.rule.words, ruling)
    return tuple(once.values())
