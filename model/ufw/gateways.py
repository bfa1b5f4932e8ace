"""Servers that others are reached through, by what those say of where their sessions come from."""

from __future__ import annotations

from collections.abc import Mapping

from model.base import Address
from model.ufw.facts import FirewallFacts


def gateways(facts: Mapping[str, FirewallFacts]) -> Mapping[str, str]:
    """
    Return the server that each host's session comes through, by the host's name, as far as it is one of these itself.

    What counts is the address that the host sees its session come from: whatever ssh_config calls the jump host, that
    is one of its addresses; it is the server's, too, where the controller runs on it.
    """
    owners: dict[Address, str] = {}
    for name, seen in facts.items():
        for _, address in seen.addresses:
            if not (address.is_loopback or address.is_link_local):
                owners.setdefault(address, name)
    found = {name: owners.get(seen.peer.client, name) for name, seen in facts.items() if seen.peer is not None}
    return {name: gateway for name, gateway in found.items() if gateway != name}


def way_to(host: str, through: Mapping[str, str]) -> tuple[str, ...]:
    """Return the servers on the way to a host, nearest to the controller first; `through` is what `gateways` says."""
    way: list[str] = []
    while (host := through.get(host, "")) and host not in way:
        way.insert(0, host)
    return tuple(way)


def in_order(through: Mapping[str, str]) -> tuple[str, ...]:
    """Return the servers that others are reached through, those before others first."""
    return tuple(sorted(set(through.values()), key=lambda name: (len(way_to(name, through)), name)))
