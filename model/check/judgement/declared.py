"""Judgements of what the owner declared: lint asks them of the files, compliance for items of the checklist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Literal

from model.base import Address, Network
from model.site import sizing
from model.site.hosts import Machine
from model.site.site import Site

# Where the overlap is between both ranges of the cluster.
POD_CIDR = "the pod CIDR"
ACME = ("letsencrypt-http01", "letsencrypt-dns01")


@dataclass(frozen=True, slots=True)
class Overlap:
    """A range of the cluster's that holds addresses of something else; `field` is that of site.yaml."""

    field: Literal["pod_cidrs", "service_cidrs"]
    cidr: Network
    other: Network
    place: str


@dataclass(frozen=True, slots=True)
class Shortage:
    """A role has fewer servers than it needs."""

    has: int
    needed: int


def wanted(site: Site, role: str) -> bool:
    """Return whether the site needs the role: its feature, where it has one, is on."""
    feature = site.roles[role].feature
    return feature is None or feature in site.settings.active or (feature == "turn" and site.settings.features.livekit)


def shortage(site: Site, role: str, *, counted: Literal["role", "purpose"]) -> Shortage | None:
    """
    Return what a role that the site needs is short of, and None where it has enough.

    Counted are the servers of the role itself, against its own minimum and what others of its purpose leave to it; or
    all servers of its purpose, against the sizing alone.
    """
    purpose = site.roles[role].purpose
    if not wanted(site, role) or (counted == "purpose" and purpose is None):
        return None
    if counted == "purpose" and purpose is not None:
        has, needed = len(site.with_purpose(purpose)), sizing.by_purpose(site.settings)[purpose].servers
    else:
        has, needed = len(site.with_role(role)), sizing.servers_needed(site, role)
    return Shortage(has, needed) if has < needed else None


def overlaps(networks: Iterable[Network], others: Iterable[Network]) -> Iterator[tuple[Network, Network]]:
    """Yield each pair of networks that share addresses."""
    known = tuple(others)
    for network in networks:
        yield from ((network, other) for other in known if network.version == other.version and network.overlaps(other))


def cluster_overlaps(site: Site) -> Iterator[Overlap]:
    """Yield what pod and service CIDRs hide of the site: packets to it would never leave the node."""
    pods, services = site.settings.kubernetes.pod_cidrs, site.settings.kubernetes.service_cidrs
    for left, right in overlaps(pods, services):
        yield Overlap("service_cidrs", right, left, POD_CIDR)
    taken = tuple(_taken(site))
    for place, around in taken:
        yield from (Overlap("pod_cidrs", cidr, other, place) for cidr, other in overlaps(pods, (around,)))
    for place, around in taken:
        yield from (Overlap("service_cidrs", cidr, other, place) for cidr, other in overlaps(services, (around,)))


def misplaced(site: Site) -> Iterator[tuple[Machine, str, Address]]:
    """Yield each address of a host that the network it is filed under does not contain."""
    for machine in site.machines:
        for network, address in machine.every:
            if not any(address in cidr for cidr in site.settings.networks[network].cidrs):
                yield machine, network, address


def opens(site: Site, port: int, target: str) -> bool:
    """Return whether an active row lets a TCP port in at an external address."""
    rows = (row for row in site.active_rows if row.target == target and row.protocol == "tcp")
    return any(low <= port <= high for row in rows for low, high in row.intervals)


def methods(site: Site) -> frozenset[str]:
    """Return where certificates come from: the main services' way, and LI's where there is LI."""
    tls = site.settings.tls
    return frozenset({tls.method} | ({tls.li_method} if site.settings.features.li else set()))


def lacks_contact(site: Site) -> bool:
    """Return whether Let's Encrypt would have no address to write to."""
    return bool(methods(site) & set(ACME)) and site.settings.tls.email is None


def lacks_port_80(site: Site) -> bool:
    """Return whether HTTP-01 is to come in where no active row lets it in."""
    return "letsencrypt-http01" in methods(site) and not opens(site, 80, "ingress")


def unnamed_files(site: Site) -> tuple[str, ...]:
    """Return the fields of `tls` that name no file though the organisation provides certificates."""
    fields = ("certificate", "private_key") if "organisation" in methods(site) else ()
    return tuple(field for field in fields if getattr(site.settings.tls, field) is None)


def beyond_sizing(site: Site, most: int = sizing.STEPS[-1]) -> bool:
    """Return whether there are more users than the sizing, or what is recommended, was worked out for."""
    return site.settings.concurrent_users > most


def _taken(site: Site) -> Iterator[tuple[str, Network]]:
    """Everything with an address besides pods and services, the widest word once."""
    settings = site.settings
    yield from ((f"network {name}", cidr) for name, plan in settings.networks.items() for cidr in plan.cidrs)
    known = [cidr for plan in settings.networks.values() for cidr in plan.cidrs]
    for place, address in _single(site):
        if not any(address in cidr for cidr in known):
            yield place, ip_network(address)
    for place, cidrs in (("management", settings.management), ("admins", settings.admins)):
        yield from ((place, cidr) for cidr in cidrs if cidr.prefixlen and cidr not in known)


def _single(site: Site) -> Iterator[tuple[str, Address]]:
    settings = site.settings
    for machine in site.machines:
        yield from ((f"host {machine.name}", address) for _, address in machine.every)
        try:
            yield f"hostname of {machine.name}", ip_address(machine.hostname)
        except ValueError:
            continue
    yield from (("the API endpoint", address) for address in settings.kubernetes.endpoint.addresses)
    yield from (("dns", address) for address in (*settings.dns.main, *settings.dns.li))
    yield from (("ntp", address) for address in settings.ntp)
    for name, external in settings.external.items():
        yield from ((f"external.{name}", address) for address in external.addresses)
