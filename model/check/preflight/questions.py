"""The questions that each host puts to others: names, the endpoint's address, the way to peers and the internet."""

from __future__ import annotations

from collections.abc import Sequence

from model.base import Address
from model.host.apt import PUBLIC, asked, place
from model.host.machine_facts import Questions
from model.site.hosts import Machine
from model.site.installation import IMAGES
from model.site.names import records
from model.site.site import Site

# Where Debian's packages come from when there is neither a bundle nor a mirror.
_DEBIAN = ("deb.debian.org", 80)
# Whose images kubeadm chooses.
_KUBERNETES = "registry.k8s.io/"


def questions(site: Site, machine: Machine) -> Questions:
    """Return what one host is asked; the same for the same site, so that what it answers can be judged later."""
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
    """Return the name servers the site declares for the host's network; none where it is to use its own."""
    return site.settings.dns.li if site.isolated(machine) else site.settings.dns.main


def outbound(site: Site, machine: Machine) -> tuple[tuple[str, int], ...]:
    """
    Return where a node must get to so that packages and images can be had: nowhere for a bundle.

    Where a site's way out is closed, what lies in the internet is not asked for: it was reached when the node was
    installed.
    """
    settings = site.settings
    kubernetes, proxy, mirror = settings.kubernetes, settings.servers.proxy, settings.servers.mirror
    if not machine.node or kubernetes.packages != "apt":
        return ()
    through = [url for url in (proxy.https, proxy.http) if url][:1] if proxy else []
    if through:
        return (place(through[0]),) if settings.egress == "open" else ()
    pod_network = (kubernetes.images.get("flannel", IMAGES["flannel"]),) if settings.cni.name == "flannel" else ()
    references = (_KUBERNETES, kubernetes.images.get("pause", IMAGES["pause"]), *pod_network)
    places = (
        place(_archive(mirror)) if mirror else _DEBIAN,
        *(place(repository.uri) for repository in kubernetes.repositories),
        *asked(kubernetes.registries, references),
    )
    return tuple(dict.fromkeys(target for target in places if settings.egress == "open" or target[0] not in PUBLIC))


def _archive(mirror: str) -> str:
    """Return the URL in what may be a whole line of sources.list."""
    return next((word for word in mirror.split() if "://" in word), mirror)


def peers(site: Site, machine: Machine) -> tuple[Address, ...]:
    """
    Return addresses to which the host's largest packets must get: of the next host of its network, around the whole
    ring.
    """
    ring = [peer for peer in site.servers if peer.network == machine.network and peer.node and peer.own]
    if machine not in ring or len(ring) < 2:
        return ()
    following = ring[(ring.index(machine) + 1) % len(ring)]
    return tuple(address for address in following.own if machine.speaks(address.version))
