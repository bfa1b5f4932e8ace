"""What the organisation declared, judged: each function yields what is missing or does not fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from model.check.judgement.declared import (
    beyond_sizing,
    cluster_overlaps,
    lacks_contact,
    lacks_port_80,
    misplaced,
    opens,
    overlaps,
    shortage,
    unnamed_files,
)
from model.site import sizing
from model.site.hosts import Purpose
from model.site.names import records
from model.site.site import Site

Wrong = Iterator[str]


def servers(purpose: Purpose) -> Callable[[Site], Wrong]:
    """Return the judge of the servers of a purpose: there are enough, and each has an address."""

    def judge(site: Site) -> Wrong:
        roles = [role for role, traits in site.roles.items() if traits.purpose == purpose]
        if not roles and sizing.by_purpose(site.settings)[purpose].servers:
            yield f"groups.yaml has no role of the purpose {purpose}"
        for role in roles:
            if short := shortage(site, role, counted="purpose"):
                users = f"{site.settings.concurrent_users:,} users"
                yield f"{role}: {short.has} servers, and {short.needed} are needed for {users}"
        yield from (f"{machine.name} has no address" for machine in site.with_purpose(purpose) if not machine.own)

    return judge


def domain(site: Site) -> Wrong:
    """The domain is the schema's to refuse; here only that names derive from it."""
    if not any(record.name.endswith(f".{site.settings.domain}") for record in records(site)):
        yield "no name of the site is of its domain"


def users(site: Site) -> Wrong:
    """More users than the largest step of the sizing holds; what a small site is recommended for is lint's to say."""
    if beyond_sizing(site):
        yield f"{site.settings.concurrent_users:,} users are more than the sizing table's {sizing.STEPS[-1]:,}"


def federation(site: Site) -> Wrong:
    """Federation without its port, or the port without federation."""
    if site.settings.federation != opens(site, 8448, "ingress"):
        yield f"federation is {'on' if site.settings.federation else 'off'}, and 8448/tcp at the ingress is not so"


def external(name: str, feature: str) -> Callable[[Site], Wrong]:
    def judge(site: Site) -> Wrong:
        if feature and feature not in site.settings.active:
            return
        plan = site.settings.external.get(name)
        if plan is None:
            yield f"site.yaml names no external address for {name}"

    return judge


def li_ingress(site: Site) -> Wrong:
    """LI's ingress is an address of a host of LI."""
    if not site.settings.features.li:
        return
    own = {address for machine in site.servers if site.isolated(machine) for address in machine.own}
    if not site.settings.li.ingress:
        yield "site.yaml names no address for LI's ingress (`li.ingress`)"
    yield from (
        f"{address} is no address of a host of LI" for address in site.settings.li.ingress if address not in own
    )


def networks(site: Site) -> Wrong:
    """Every host's addresses lie in the networks that it says."""
    for machine, network, address in misplaced(site):
        yield f"{machine.name}: {address} is not in the network {network}"


def cluster_networks(site: Site) -> Wrong:
    """Networks of pods and Services that overlap each other or anything of the site."""
    yield from (f"{overlap.cidr} overlaps {overlap.other} ({overlap.place})" for overlap in cluster_overlaps(site))


def tls(site: Site) -> Wrong:
    """A method without what it needs."""
    if unnamed_files(site):
        yield "the organisation provides certificates, and site.yaml names no certificate and private key"
    if lacks_contact(site):
        yield "Let's Encrypt needs a contact address (`tls.email`)"


def http(site: Site) -> Wrong:
    """HTTP-01 without port 80."""
    if lacks_port_80(site):
        yield "HTTP-01 comes in on port 80, and no active row opens it"


def li_dns(site: Site) -> Wrong:
    """LI has name servers of its own."""
    dns = site.settings.dns
    if site.settings.features.li and not dns.li:
        yield "site.yaml names no name server of LI (`dns.li`)"
    elif set(dns.li) & set(dns.main):
        yield "LI's name servers are the main network's: one server cannot tell both views apart"


def li_network(site: Site) -> Wrong:
    """LI's servers live in an isolated network that overlaps no other."""
    if not site.settings.features.li:
        return
    if not site.isolated_networks:
        yield "no network of the site is isolated"
    others = [cidr for plan in site.settings.networks.values() if not plan.isolated for cidr in plan.cidrs]
    yield from (f"{network} overlaps {other}" for network, other in overlaps(site.isolated_networks, others))


def li_access(site: Site) -> Wrong:
    """How LI's administrators come in, and from where."""
    li = site.settings.li
    if not site.settings.features.li:
        return
    if li.access == "other" and not li.access_note:
        yield "LI is reached in another way, and `li.access_note` does not say how"
    if not li.clients:
        yield "site.yaml names no network from which LI is used (`li.clients`)"
    inside = [cidr for cidr in li.clients if cidr.prefixlen == 0]
    yield from (f"LI may be used from anywhere: {cidr}" for cidr in inside)


def egress(site: Site) -> Wrong:
    """Rows that let servers out to the internet after installation."""
    if site.settings.egress == "closed":
        rows = [row.name for row in site.active_rows if row.plane == "external" and "internet" in row.destination_ends]
        yield from (f"the way out is closed, and the row {name} opens it" for name in rows)


def installation(site: Site) -> Wrong:
    """Packages and images that nobody can fetch."""
    settings = site.settings
    mirrored = settings.servers.mirror or (settings.servers.proxy and settings.servers.proxy.https)
    if settings.kubernetes.packages == "apt" and settings.egress == "closed" and not mirrored:
        yield (
            "packages and images come from the internet, and the way there is closed: "
            "no mirror, proxy or bundle is named"
        )
