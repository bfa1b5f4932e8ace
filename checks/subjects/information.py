"""Checks of what the organisation told the deployer: it is all there, and it fits together."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from checks.check import ChecklistRef, SiteCheck, Verdict, View, settled
from model.lint.certificates import opens
from model.site import sizing
from model.site.hosts import Purpose
from model.site.names import records
from model.site.site import Site

Wrong = Iterator[str]


def _short(site: Site, role: str) -> Wrong:
    """Say when a role has fewer servers than the number of users needs."""
    traits, size = site.roles[role], sizing.sizes(site).get(role)
    off = traits.feature is not None and traits.feature not in site.settings.active
    if traits.purpose is None or size is None or off:
        return
    has = len(site.with_purpose(traits.purpose))
    if has < size.servers:
        yield f"{role}: {has} servers, and {size.servers} are needed for {site.settings.concurrent_users:,} users"


def _purpose(purpose: Purpose) -> Callable[[Site], Wrong]:
    """Return the judge of the servers of a purpose: there are enough, and each has an address."""

    def judge(site: Site) -> Wrong:
        roles = [role for role, traits in site.roles.items() if traits.purpose == purpose]
        if not roles and sizing.by_purpose(site.settings)[purpose].servers:
            yield f"groups.yaml has no role of the purpose {purpose}"
        for role in roles:
            yield from _short(site, role)
        yield from (f"{machine.name} has no address" for machine in site.with_purpose(purpose) if not machine.own)

    return judge


def domain(site: Site) -> Wrong:
    """The domain is the schema's to refuse; here only that names derive from it."""
    if not any(record.name.endswith(f".{site.settings.domain}") for record in records(site)):
        yield "no name of the site is of its domain"


def users(site: Site) -> Wrong:
    """More users than the site's sizing was worked out for."""
    most = sizing.most_users(site.settings) or sizing.STEPS[-1]
    if site.settings.concurrent_users > most:
        yield f"{site.settings.concurrent_users:,} users are more than the sizing table's {most:,}"


def federation(site: Site) -> Wrong:
    """Federation without its port, or the port without federation."""
    if site.settings.federation != opens(site, 8448, "ingress"):
        yield f"federation is {'on' if site.settings.federation else 'off'}, and 8448/tcp at the ingress is not so"


def _external(name: str, feature: str) -> Callable[[Site], Wrong]:
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
    for machine in site.servers:
        for network, address in machine.every:
            if not any(address in cidr for cidr in site.settings.networks[network].cidrs):
                yield f"{machine.name}: {address} is not in the network {network}"


def cluster_networks(site: Site) -> Wrong:
    """Networks of pods and Services that overlap each other or a network of the site."""
    kubernetes = site.settings.kubernetes
    inside = [*kubernetes.pod_cidrs, *kubernetes.service_cidrs]
    declared = [cidr for plan in site.settings.networks.values() for cidr in plan.cidrs]
    for number, network in enumerate(inside):
        for other in (*inside[number + 1 :], *declared):
            if network.version == other.version and network.overlaps(other):
                yield f"{network} overlaps {other}"


def tls(site: Site) -> Wrong:
    """A method without what it needs."""
    settings = site.settings.tls
    if "organisation" in (settings.method, settings.li_method) and not (settings.certificate and settings.private_key):
        yield "the organisation provides certificates, and site.yaml names no certificate and private key"
    if settings.method.startswith("letsencrypt") and settings.email is None:
        yield "Let's Encrypt needs a contact address (`tls.email`)"


def http(site: Site) -> Wrong:
    """HTTP-01 without port 80."""
    if site.settings.tls.method == "letsencrypt-http01" and not opens(site, 80, "ingress"):
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
    for network in site.isolated_networks:
        yield from (
            f"{network} overlaps {other}"
            for other in others
            if network.version == other.version and network.overlaps(other)
        )


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
            "packages and images come from the internet, and the way there is closed: no mirror, proxy or bundle is named"
        )


def _site_check(
    name: str, title: str, section: str, line: int, wrong: Callable[[Site], Wrong], shown: Callable[[Site], object]
) -> SiteCheck:
    def judge(view: View) -> Verdict:
        declared = shown(view.site)
        return settled(list(wrong(view.site)), f"{_begun(title)}: {declared}", {"said": str(declared)})

    return SiteCheck(
        id=f"site/{name}",
        title=title,
        place=ChecklistRef(section, line),
        phase="prerequisites",
        looks_at="the site's own files",
        by="python -m flows.lint; site.yaml and hosts.yaml",
        remedy="ask the organisation, and say it in site.yaml or hosts.yaml (docs/information.md)",
        judge=judge,
    )


def _begun(title: str) -> str:
    """Write a title as the beginning of a sentence; names in capitals stay."""
    return title if title[1:2].isupper() else f"{title[0].lower()}{title[1:]}"


def _servers(purpose: Purpose) -> Callable[[Site], object]:
    return lambda site: (
        ", ".join(f"{machine.name} {machine.own[0]}" for machine in site.with_purpose(purpose)) or "none"
    )


def _at(name: str) -> Callable[[Site], object]:
    return lambda site: (
        ", ".join(map(str, plan.addresses))
        if (plan := site.settings.external.get(name))
        else "none, the feature is off"
    )


_INFORMATION = "Pre-Deployment Information Gathering"
_SERVER_TYPES = "Organization Prerequisites 1"
_LI = "Organization Prerequisites 4"
CHECKS = (
    _site_check("domain", "The domain is named", _INFORMATION, 391, domain, lambda site: site.settings.domain),
    _site_check(
        "users",
        "The number of users is known",
        _INFORMATION,
        392,
        users,
        lambda site: f"{site.settings.concurrent_users:,}",
    ),
    _site_check(
        "federation",
        "Federation is decided",
        _INFORMATION,
        393,
        federation,
        lambda site: "on" if site.settings.federation else "off",
    ),
    _site_check(
        "control-planes",
        "Control planes are named, three or more",
        _INFORMATION,
        396,
        _purpose("control-plane"),
        _servers("control-plane"),
    ),
    _site_check(
        "workers",
        "Workers are named, as many as the users need",
        _INFORMATION,
        400,
        _purpose("application"),
        _servers("application"),
    ),
    _site_check(
        "li-servers", "LI's servers are named", _INFORMATION, 404, _purpose("interception"), _servers("interception")
    ),
    _site_check(
        "ingress", "The ingress has an external address", _INFORMATION, 408, _external("ingress", ""), _at("ingress")
    ),
    _site_check(
        "turn", "The TURN server has an external address", _INFORMATION, 409, _external("turn", "turn"), _at("turn")
    ),
    _site_check(
        "li-ingress",
        "LI's ingress has an address",
        _INFORMATION,
        410,
        li_ingress,
        lambda site: ", ".join(map(str, site.settings.li.ingress)) or "none",
    ),
    _site_check(
        "networks",
        "The internal networks are named",
        _INFORMATION,
        411,
        networks,
        lambda site: ", ".join(site.settings.networks),
    ),
    _site_check(
        "pods",
        "Pods' and Services' networks overlap nothing",
        _INFORMATION,
        412,
        cluster_networks,
        lambda site: ", ".join(
            map(str, (*site.settings.kubernetes.pod_cidrs, *site.settings.kubernetes.service_cidrs))
        ),
    ),
    _site_check(
        "tls",
        "It is decided where certificates come from",
        _INFORMATION,
        416,
        tls,
        lambda site: f"{site.settings.tls.method}, for LI {site.settings.tls.li_method}",
    ),
    _site_check(
        "http-01",
        "Port 80 is open where HTTP-01 needs it",
        "Organization Prerequisites 5",
        338,
        http,
        lambda site: site.settings.tls.method,
    ),
    _site_check(
        "li-dns",
        "LI has its own name servers",
        _INFORMATION,
        423,
        li_dns,
        lambda site: ", ".join(map(str, site.settings.dns.li)) or "none",
    ),
    _site_check(
        "li-network",
        "LI has a network of its own",
        _INFORMATION,
        424,
        li_network,
        lambda site: ", ".join(map(str, site.isolated_networks)) or "none",
    ),
    _site_check(
        "li-access",
        "It is known how LI is reached and from where",
        _INFORMATION,
        425,
        li_access,
        lambda site: f"{site.settings.li.access} from {', '.join(map(str, site.settings.li.clients))}",
    ),
    _site_check(
        "storage",
        "Servers for databases and objects are named",
        _SERVER_TYPES,
        28,
        lambda site: iter((*_purpose("postgresql")(site), *_purpose("objects")(site))),
        lambda site: f"{_servers('postgresql')(site)}; {_servers('objects')(site)}",
    ),
    _site_check(
        "monitoring",
        "A server for monitoring is named",
        _SERVER_TYPES,
        30,
        _purpose("observation"),
        _servers("observation"),
    ),
    _site_check(
        "egress",
        "The way out is closed after installation",
        "Organization Prerequisites 3",
        216,
        egress,
        lambda site: site.settings.egress,
    ),
    _site_check(
        "install-access",
        "Packages and images can be had during installation",
        _SERVER_TYPES,
        23,
        installation,
        lambda site: (
            "from a bundle"
            if site.settings.kubernetes.packages == "bundle"
            else "from the internet, a mirror or a proxy"
        ),
    ),
)
