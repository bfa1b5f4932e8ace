"""Which ports of each pair are probed: by depth, and the controls that show both ends of a border work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal, Protocol

from model import bits
from model.base import Address
from model.matrix.matrix import boundary_ports
from model.site.site import Site
from model.verify.pairs import EVERY_PORT, PROTOCOLS, Pair

Depth = Literal["boundaries", "sweep", "full"]
CONTROLS = 2


class RuledPorts(Protocol):
    """What hosts' rules say of a pair's ports before any is probed."""

    def contested(self, pair: Pair, protocol: str) -> int:
        """Return the ports of which something else than the firewalls decides."""

    def unsendable(self, pair: Pair, protocol: str) -> int:
        """Return the ports that the source's own interface drops."""


def with_ports(
    site: Site,
    chosen: Iterable[Pair],
    depth: Depth,
    listeners: Mapping[str, Mapping[str, int]],
    only: Mapping[str, int] | None = None,
    rulings: RuledPorts | None = None,
) -> tuple[Pair, ...]:
    """
    Deal out the ports to probe.

    `listeners` holds, by host and protocol, the ports something listens on there, which are probed like those that
    Services take; `only` replaces the depth's choice. Sweep: every port of every address once, dealt round-robin over
    one source a role. Every port that is contested by `rulings` is probed, save what the source drops at its interface.
    """
    chosen = tuple(chosen)
    boundaries = bits.from_ports(boundary_ports(site))
    decks = _decks(site, chosen) if depth == "sweep" else {}
    dealt = []
    for pair in chosen:
        ports = {}
        for protocol in PROTOCOLS:
            if only is not None:
                wanted = only.get(protocol, 0)
            elif depth == "full":
                wanted = EVERY_PORT
            elif depth == "sweep":
                wanted = _share(decks[pair.address], pair.source)
            else:
                listening = listeners.get(pair.destination, {}).get(protocol, 0)
                wanted = boundaries | ((listening | pair.dnat_ports.get(protocol, 0)) & EVERY_PORT)
            if rulings and only is None:
                wanted |= rulings.contested(pair, protocol) & EVERY_PORT
            if rulings:
                wanted &= ~rulings.unsendable(pair, protocol)
            ports[protocol] = wanted
        dealt.append(replace(pair, probed=ports))
    return tuple(dealt)


def _decks(site: Site, chosen: tuple[Pair, ...]) -> dict[Address, list[str]]:
    """By address: one source of each role that is probed from there."""
    decks: dict[Address, dict[str, str]] = {}
    for pair in chosen:
        role = site.by_name[pair.source].roles[0]
        decks.setdefault(pair.address, {}).setdefault(role, pair.source)
    return {address: list(deck.values()) for address, deck in decks.items()}


def _share(deck: list[str], source: str) -> int:
    if source not in deck:
        return 0
    return bits.from_ports(range(1 + deck.index(source), 65536, len(deck)))


def count(chosen: Iterable[Pair]) -> int:
    """Return how many probes the pairs mean, each sent once."""
    return sum(ports.bit_count() for pair in chosen for ports in pair.probed.values())


def controls(everything: Iterable[Pair], chosen: Iterable[Pair]) -> tuple[Pair, ...]:
    """
    Return pairs with one probe each that a narrowed run needs beside its own.

    What a border stops proves nothing of ends that nobody saw work. For every end of a chosen border pair there are up
    to `CONTROLS` other pairs whose probe arrives if both ends work. A run over everything needs none.
    """
    chosen = tuple(chosen)
    taken = {(pair.source, pair.address) for pair in chosen}
    others = [vouching(replace(pair, probed={})) for pair in everything if (pair.source, pair.address) not in taken]
    usable = [pair for pair in others if pair.probed]
    sources = {pair.source for pair in chosen if pair.border}
    destinations = {pair.destination for pair in chosen if pair.border}
    picked = [
        *(pair for name in sorted(sources) for pair in [other for other in usable if other.source == name][:CONTROLS]),
        *(
            pair
            for name in sorted(destinations)
            for pair in [other for other in usable if other.destination == name][:CONTROLS]
        ),
    ]
    return tuple({(pair.source, pair.address): pair for pair in picked}.values())


def vouching(pair: Pair) -> Pair:
    """
    Return the pair with one more port probed, on which a packet is seen at the destination if both ends work.

    Within one network that is any port, across a border an open one; without an open one the pair stays as it is.
    """
    protocol, port = "tcp", 1
    if pair.border:
        opened = [part for part in pair.openings if part.protocol in PROTOCOLS]
        if not opened:
            return pair
        protocol, port = opened[0].protocol, opened[0].interval[0]
    return replace(pair, probed={**pair.probed, protocol: pair.probed.get(protocol, 0) | (1 << port)})
