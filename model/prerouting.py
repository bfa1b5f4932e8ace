"""What do a host's rules before DNAT do with a packet: is a Service's port kept from those whom the matrix does not name?"""

from __future__ import annotations

from functools import lru_cache

from model.base import Address
from model.netfilter import ALL, Judgement
from model.nft_match import Packet
from model.nft_ruleset import Ruleset, parse
from model.nft_walk import Walk

# The priority at which nftables' nat chains of the hook translate destinations.
_DSTNAT = -100


def before_dnat(nft: str, source: Address, destination: Address, protocol: str, interface: str | None) -> Judgement:
    """
    Walk the chains that meet a new packet for the host itself before DNAT does; `nft` is `nft -j list ruleset`.

    Everything is uncertain where that cannot be read.
    """
    rules = _read(nft)
    if rules is None:
        return Judgement(0, 0, ALL)
    packet = Packet(source, destination, destination, protocol, interface, local=True)
    rest, refused, uncertain = ALL, 0, 0
    for chain in rules.base("prerouting", destination.version):
        if chain.priority >= _DSTNAT:
            break
        walk = Walk(rules, packet)
        walk.base(chain, rest)
        refused |= walk.closed
        uncertain |= walk.unknown
        rest &= ~walk.closed
    return Judgement(rest & ~uncertain, refused, uncertain & ~refused)


@lru_cache(maxsize=256)
def _read(nft: str) -> Ruleset | None:
    try:
        return parse(nft).rules
    except ValueError:
        return None
