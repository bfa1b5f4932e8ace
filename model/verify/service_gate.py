"""Judgement of rules of nftables' own: before a Service's port is translated, and before the host's firewall."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from model.base import Address
from model.packets.netfilter import ALL, RulesetVerdict
from model.packets.nft_match import NftPacket
from model.packets.nft_ruleset import Chain, Ruleset, parse
from model.packets.nft_walk import Walk

# By hook: the priority from which on others decide - DNAT itself, and the host's forwarding.
_BEFORE = {"prerouting": -100, "forward": 0}
# Where iptables' INPUT stands, and ufw in it.
_FILTER = 0


def gate(nft: str, source: Address, destination: Address, protocol: str, interface: str | None) -> RulesetVerdict:
    """
    Walk the chains of nftables' own that meet a new packet before DNAT, and after it before anybody else's; `nft` is
    `nft -j list ruleset`.

    Where it leads nobody knows: what asks for that is uncertain, and so is everything where the rules cannot be read.
    """
    rules = _read(nft)
    if rules is None:
        return RulesetVerdict(0, 0, ALL)
    packet = NftPacket(source, destination, destination, protocol, interface, local=True)
    rest, refused, uncertain = ALL, 0, 0
    for hook, chain in _chains(rules, destination.version):
        walk = Walk(rules, packet if hook == "prerouting" else replace(packet, local=False, rewritten=True))
        walk.base(chain, rest)
        refused |= walk.closed
        uncertain |= walk.unknown
        rest &= ~walk.closed
    return RulesetVerdict(rest & ~uncertain, refused, uncertain & ~refused)


def before_firewall(nft: str, source: Address, destination: Address, protocol: str) -> RulesetVerdict:
    """
    Walk the chains of nftables' own that meet a new packet of a pod to the host itself before its firewall does; `nft`
    is `nft -j list ruleset`.

    What they do not refuse goes on to the firewall; everything is uncertain where the rules cannot be read.
    """
    rules = _read(nft)
    if rules is None:
        return RulesetVerdict(0, 0, ALL)
    packet = NftPacket(source, destination, destination, protocol, None, local=True)
    rest, refused, uncertain = ALL, 0, 0
    for chain in rules.base("input", destination.version):
        if chain.priority < _FILTER:
            walk = Walk(rules, packet)
            walk.base(chain, rest)
            refused |= walk.closed
            uncertain |= walk.unknown
            rest &= ~walk.closed
    return RulesetVerdict(rest & ~uncertain, refused, uncertain & ~refused)


def _chains(rules: Ruleset, version: int) -> Iterator[tuple[str, Chain]]:
    for hook, end in _BEFORE.items():
        for chain in rules.base(hook, version):
            if chain.priority < end:
                yield hook, chain


@lru_cache(maxsize=256)
def _read(nft: str) -> Ruleset | None:
    try:
        return parse(nft).rules
    except ValueError:
        return None
