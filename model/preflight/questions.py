"""What is each host asked to find out with others: names, the endpoint's address, the way to its peers and to the internet?"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from model.base import Address
from model.hosts import Machine
from model.machine_facts import Questions
from model.names import records
from model.site import Site

# Where packages and images come from when there is neither a bundle nor a mirror.
_ARCHIVES = (("deb.debian.org", 80), ("pkgs.k8s.io", 443), ("registry.k8s.io", 443))
_PORTS = {"http": 80, "https": 443}


def questions(site: Site, machine: Machine) -> Questions:
    """
    Return what one host is asked; the same for the same site, so that what it answers can be judged later.
    """
    names = tuple(sorted({record.name for record in records(site)}))
    servers: Sequence[Address | None] = name_servers(site, machine) or (None,)
    endpoint = tuple(
        (str(address), site.settings.kubernetes.endpoint.port) for address in site.endpoint_addresses(machine)
    )
    return Questions(
        dns=tuple((server, names) for server in servers) if names else (),
        connects=(*endpoint, *outbound(site, machine)),
        paths=peers(site, machine),
    )


def name_servers(site: Site, machine: Machine) -> tuple[Address, ...]:
    """
    Return the name servers the site declares for the host's network; none where it is to use its own.
    """
    return site.settings.dns.li if site.isolated(machine) else site.settings.dns.main


def outbound(site: Site, machine: Machine) -> tuple[tuple[str, int], ...]:
    """
    Return where a node must get to so that packages and images can be had: nowhere for a bundle.
    """
    settings = site.settings
    if not machine.node or settings.kubernetes.packages != "apt" or settings.egress != "open":
        return ()
    proxy, mirror = settings.servers.proxy, settings.servers.mirror
    through = [url for url in (proxy.https, proxy.http) if url][:1] if proxy else []
    if through:
        return (_place(through[0]),)
    return (_place(mirror), *_ARCHIVES[1:]) if mirror else _ARCHIVES


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    return parts.hostname or url, parts.port or _PORTS.get(parts.scheme, 80)


def peers(site: Site, machine: Machine) -> tuple[Address, ...]:
    """
    Return addresses to which the host's largest packets must get: of the next host of its network, around the whole ring.
    """
    ring = [each for each in site.servers if each.network == machine.network and each.node and each.own]
    if machine not in ring or len(ring) < 2:
        return ()
    following = ring[(ring.index(machine) + 1) % len(ring)]
    return tuple(address for address in following.own if machine.speaks(address.version))
