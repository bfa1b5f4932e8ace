"""Checks of what the organisation told the deployer: it is all there, and it fits together."""

from __future__ import annotations

from collections.abc import Callable

from checks import declared
from checks.check import ComplianceView, SiteCheck
from model.check.finding import Verdict, settled
from model.site.hosts import Purpose
from model.site.site import Site


def _site_check(
    name: str,
    title: str,
    wrong: Callable[[Site], declared.Wrong],
    shown: Callable[[Site], object],
) -> SiteCheck:
    def judge(view: ComplianceView) -> Verdict:
        answer = shown(view.site)
        return settled(list(wrong(view.site)), f"{_begun(title)}: {answer}", {"said": str(answer)})

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


CHECKS = (
    _site_check("domain", "The domain is named", declared.domain, lambda site: site.settings.domain),
    _site_check(
        "users",
        "The number of users is known",
        declared.users,
        lambda site: f"{site.settings.concurrent_users:,}",
    ),
    _site_check(
        "federation",
        "Federation is decided",
        declared.federation,
        lambda site: "on" if site.settings.federation else "off",
    ),
    _site_check(
        "control-planes",
        "Control planes are named, three or more",
        declared.servers("control-plane"),
        _servers("control-plane"),
    ),
    _site_check(
        "workers",
        "Workers are named, as many as the users need",
        declared.servers("application"),
        _servers("application"),
    ),
    _site_check("li-servers", "LI's servers are named", declared.servers("interception"), _servers("interception")),
    _site_check("ingress", "The ingress has an external address", declared.external("ingress", ""), _at("ingress")),
    _site_check("turn", "The TURN server has an external address", declared.external("turn", "turn"), _at("turn")),
    _site_check(
        "li-ingress",
        "LI's ingress has an address",
        declared.li_ingress,
        lambda site: ", ".join(map(str, site.settings.li.ingress)) or "none",
    ),
    _site_check(
        "networks",
        "The internal networks are named",
        declared.networks,
        lambda site: ", ".join(site.settings.networks),
    ),
    _site_check(
        "pods",
        "Pods' and Services' networks overlap nothing",
        declared.cluster_networks,
        lambda site: ", ".join(
            map(str, (*site.settings.kubernetes.pod_cidrs, *site.settings.kubernetes.service_cidrs))
        ),
    ),
    _site_check(
        "tls",
        "It is decided where certificates come from",
        declared.tls,
        lambda site: f"{site.settings.tls.method}, for LI {site.settings.tls.li_method}",
    ),
    _site_check(
        "http-01",
        "Port 80 is open where HTTP-01 needs it",
        declared.http,
        lambda site: site.settings.tls.method,
    ),
    _site_check(
        "li-dns",
        "LI has its own name servers",
        declared.li_dns,
        lambda site: ", ".join(map(str, site.settings.dns.li)) or "none",
    ),
    _site_check(
        "li-network",
        "LI has a network of its own",
        declared.li_network,
        lambda site: ", ".join(map(str, site.isolated_networks)) or "none",
    ),
    _site_check(
        "li-access",
        "It is known how LI is reached and from where",
        declared.li_access,
        lambda site: f"{site.settings.li.access} from {', '.join(map(str, site.settings.li.clients))}",
    ),
    _site_check(
        "storage",
        "Servers for databases and objects are named",
        lambda site: iter((*declared.servers("postgresql")(site), *declared.servers("objects")(site))),
        lambda site: f"{_servers('postgresql')(site)}; {_servers('objects')(site)}",
    ),
    _site_check(
        "monitoring", "A server for monitoring is named", declared.servers("observation"), _servers("observation")
    ),
    _site_check(
        "egress",
        "The way out is closed after installation",
        declared.egress,
        lambda site: site.settings.egress,
    ),
    _site_check(
        "install-access",
        "Packages and images can be had during installation",
        declared.installation,
        lambda site: (
            "from a bundle"
            if site.settings.kubernetes.packages == "bundle"
            else "from the internet, a mirror or a proxy"
        ),
    ),
)
