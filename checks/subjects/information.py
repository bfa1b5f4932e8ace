"""Did the organisation tell what the deployer must know, and does it fit together?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from checks.check import ComplianceView, SiteCheck
from model.check.finding import Verdict, settled
from model.check.judgement.declared import (
    beyond_sizing,
    cluster_overlaps,
    lacks_contact,
    lacks_port_80,
    misplaced,
    opens,
    overlaps,
    unnamed_files,
)
from model.site import sizing
from model.site.names import records
from model.site.site import Site

Wrong = Iterator[str]


def counts(site: Site) -> Wrong:
    """Roles that have fewer servers than the number of users needs."""
    for role, size in sizing.sizes(site.settings).items():
        has, traits = len(site.with_role(role)), site.roles.get(role)
        off = traits is not None and traits.feature is not None and traits.feature not in site.settings.active
        if has < size.servers and not off:
            yield f"{role}: {has} servers, and {size.servers} are needed for {site.settings.concurrent_users:,} users"


def _role(role: str) -> Callable[[Site], Wrong]:
    def judge(site: Site) -> Wrong:
        yield from (wrong for wrong in counts(site) if wrong.startswith(f"{role}:"))
        yield from (f"{machine.name} has no address" for machine in site.with_role(role) if not machine.own)

    return judge


def domain(site: Site) -> Wrong:
    """The domain is the schema's to refuse; here only that names derive from it."""
    if not any(record.name.endswith(f".{site.settings.domain}") for record in records(site)):
        yield "no name of the site is of its domain"


def users(site: Site) -> Wrong:
    """More users than the sizing table knows."""
    if beyond_sizing(site):
        yield f"{site.settings.concurrent_users:,} users are more than the sizing table's {sizing.STEPS[-1]:,}"


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
        yield "packages and images come from the internet, and the way there is closed: no mirror, proxy or bundle is named"


def _site_check(name: str, title: str, wrong: Callable[[Site], Wrong], told: Callable[[Site], object]) -> SiteCheck:
    def judge(view: ComplianceView) -> Verdict:
        said = told(view.site)
        return settled(list(wrong(view.site)), f"{_begun(title)}: {said}", {"said": str(said)})

    return SiteCheck(
        id=f"site/{name}",
        title=title,
        phase="prerequisites",
        looks_at="the site's own files",
        by="python -m flows.lint; site.yaml and hosts.yaml",
        remedy="ask the organisation, and say it in site.yaml or hosts.yaml (docs/information.md)",
        judge=judge,
    )


def _begun(title: str) -> str:
    """Write a title as the beginning of a sentence; names in capitals stay."""
    return title if title[1:2].isupper() else f"{title[0].lower()}{title[1:]}"


def _servers(role: str) -> Callable[[Site], object]:
    return lambda site: ", ".join(f"{machine.name} {machine.own[0]}" for machine in site.with_role(role)) or "none"


def _at(name: str) -> Callable[[Site], object]:
    return lambda site: (
        ", ".join(map(str, plan.addresses))
        if (plan := site.settings.external.get(name))
        else "none, the feature is off"
    )


CHECKS = (
    _site_check("domain", "The domain is named", domain, lambda site: site.settings.domain),
    _site_check(
        "users",
        "The number of users is known",
        users,
        lambda site: f"{site.settings.concurrent_users:,}",
    ),
    _site_check(
        "federation",
        "Federation is decided",
        federation,
        lambda site: "on" if site.settings.federation else "off",
    ),
    _site_check(
        "control-planes",
        "Control planes are named, three or more",
        _role("control_plane"),
        _servers("control_plane"),
    ),
    _site_check(
        "workers",
        "Workers are named, as many as the users need",
        _role("worker"),
        _servers("worker"),
    ),
    _site_check("li-servers", "LI's servers are named", _role("li"), _servers("li")),
    _site_check("ingress", "The ingress has an external address", _external("ingress", ""), _at("ingress")),
    _site_check("turn", "The TURN server has an external address", _external("turn", "turn"), _at("turn")),
    _site_check(
        "li-ingress",
        "LI's ingress has an address",
        li_ingress,
        lambda site: ", ".join(map(str, site.settings.li.ingress)) or "none",
    ),
    _site_check(
        "networks",
        "The internal networks are named",
        networks,
        lambda site: ", ".join(site.settings.networks),
    ),
    _site_check(
        "pods",
        "Pods' and Services' networks overlap nothing",
        cluster_networks,
        lambda site: ", ".join(
            map(str, (*site.settings.kubernetes.pod_cidrs, *site.settings.kubernetes.service_cidrs))
        ),
    ),
    _site_check(
        "tls",
        "It is decided where certificates come from",
        tls,
        lambda site: f"{site.settings.tls.method}, for LI {site.settings.tls.li_method}",
    ),
    _site_check(
        "http-01",
        "Port 80 is open where HTTP-01 needs it",
        http,
        lambda site: site.settings.tls.method,
    ),
    _site_check(
        "li-dns",
        "LI has its own name servers",
        li_dns,
        lambda site: ", ".join(map(str, site.settings.dns.li)) or "none",
    ),
    _site_check(
        "li-network",
        "LI has a network of its own",
        li_network,
        lambda site: ", ".join(map(str, site.isolated_networks)) or "none",
    ),
    _site_check(
        "li-access",
        "It is known how LI is reached and from where",
        li_access,
        lambda site: f"{site.settings.li.access} from {', '.join(map(str, site.settings.li.clients))}",
    ),
    _site_check(
        "storage",
        "Servers for databases and objects are named",
        lambda site: iter((*_role("database")(site), *_role("storage")(site))),
        lambda site: f"{_servers('database')(site)}; {_servers('storage')(site)}",
    ),
    _site_check("monitoring", "A server for monitoring is named", _role("monitoring"), _servers("monitoring")),
    _site_check(
        "egress",
        "The way out is closed after installation",
        egress,
        lambda site: site.settings.egress,
    ),
    _site_check(
        "install-access",
        "Packages and images can be had during installation",
        installation,
        lambda site: (
            "from a bundle"
            if site.settings.kubernetes.packages == "bundle"
            else "from the internet, a mirror or a proxy"
        ),
    ),
)
