"""Judgements of links: a host has its declared addresses, on links as fast as their networks should be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model.base import Address
from model.host.shared_facts import Link
from model.site.hosts import Machine
from model.site.site import Site


def holders(links: Sequence[Link]) -> dict[Address, Link]:
    """Return every address with the interface that holds it."""
    return {address: link for link in links for address in link.addresses}


def interfaces(links: Sequence[Link]) -> dict[Address, str]:
    """Return the name of the interface that holds each address."""
    return {address: link.name for address, link in holders(links).items()}


def missing_addresses(machine: Machine, links: Sequence[Link]) -> Iterator[str]:
    """Say which declared addresses the host does not have."""
    held = holders(links)
    lacking = [str(address) for _, address in machine.every if address not in held]
    if lacking:
        yield f"does not have {', '.join(lacking)}, which hosts.yaml declares"


def slow_links(site: Site, machine: Machine, links: Sequence[Link]) -> Iterator[str]:
    """Say once of each link that it is slower than its network should be; one that does not tell its speed is not."""
    held = holders(links)
    messages: dict[str, None] = {}
    for network, address in machine.every:
        link, wanted = held.get(address), site.settings.networks[network].speed_mbps
        if link is not None and 0 < link.speed < wanted:
            messages[f"its {link.name} runs at {link.speed} Mbit/s, and {network} should have {wanted}"] = None
    yield from messages
