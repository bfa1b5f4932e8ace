"""Rules of isolation: the isolated (LI) network is really apart, and has what it needs there."""

from __future__ import annotations

from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.judgement.declared import overlaps
from model.check.lint.flaw import LintView, flaw


def li_network(view: LintView) -> Iterator[Finding]:
    """Find LI servers and LI's ingress addresses outside an isolated network."""
    settings = view.site.settings
    if not settings.features.li:
        return
    for role, traits in view.site.roles.items():
        plan = settings.networks.get(traits.network)
        if traits.feature == "li" and plan is not None and not plan.isolated:
            path, fix = f"networks.{traits.network}.isolated", "`isolated: true`, or a network of its own"
            yield flaw(
                "site.yaml", path, value="false", message=f"role {role} lives there, so it must be isolated", fix=fix
            )
    for address in settings.li.ingress:
        if not any(address in network for network in view.site.isolated_networks):
            fix = "an address of a server in the isolated network"
            yield flaw("site.yaml", "li.ingress", value=address, message="lies in no isolated network", fix=fix)
    if not settings.li.ingress:
        message = "LI's names have no address to resolve to"
        yield flaw(
            "site.yaml",
            "li.ingress",
            value="",
            message=message,
            fix="the LI server's address",
            severity=Severity.WARNING,
        )


def li_clients(view: LintView) -> Iterator[Finding]:
    """Find networks of LI administrators that are the main network, or the whole world."""
    settings = view.site.settings
    if not settings.features.li:
        return
    inside = [cidr for plan in settings.networks.values() if not plan.isolated for cidr in plan.cidrs]
    for network in settings.li.clients:
        if network.prefixlen == 0:
            fix = "the networks LI administrators sit in"
            yield flaw(
                "site.yaml",
                "li.clients",
                value=network,
                message="lets the whole world into the isolated network",
                fix=fix,
            )
        elif met := next((cidr for cidr, _ in overlaps(inside, (network,))), None):
            message = f"overlaps {met}, which is not isolated: the border would be open"
            yield flaw(
                "site.yaml", "li.clients", value=network, message=message, fix="networks on the isolated side only"
            )


def border_words(view: LintView) -> Iterator[Finding]:
    """
    Find management or administrators' networks that hold isolated addresses: rules for them would cross the border
    inwards.
    """
    settings = view.site.settings
    for word, networks in (("management", settings.management), ("admins", settings.admins)):
        for network in networks:
            if network.prefixlen == 0:
                continue
            if met := next((cidr for cidr, _ in overlaps(view.site.isolated_networks, (network,))), None):
                message = f"overlaps the isolated network {met}: its hosts would reach the main ones"
                yield flaw("site.yaml", word, value=network, message=message, fix="networks outside the isolated one")


def wide_words(view: LintView) -> Iterator[Finding]:
    """Find management or administrators' networks that are the whole world."""
    settings = view.site.settings
    for word, networks in (("management", settings.management), ("admins", settings.admins)):
        for network in networks:
            if network.prefixlen == 0:
                fix = "the networks deployers and administrators really sit in"
                yield flaw(
                    "site.yaml", word, value=network, message="is everybody, the isolated network included", fix=fix
                )


def li_certificate(view: LintView) -> Iterator[Finding]:
    """Find certificates for LI's names from a challenge that cannot reach them."""
    settings = view.site.settings
    if settings.features.li and settings.tls.li_method == "letsencrypt-http01":
        message = "HTTP-01 asks from the internet for names that only the LI network resolves"
        fix = "letsencrypt-dns01, organisation or internal-ca"
        yield flaw("site.yaml", "tls.li_method", value=settings.tls.li_method, message=message, fix=fix)


def li_dns(view: LintView) -> Iterator[Finding]:
    """Find a missing LI view of the names, or one served by the main name servers."""
    settings = view.site.settings
    if not settings.features.li:
        return
    if not settings.dns.li:
        message = "LI has no name server of its own; matrix.<domain> must resolve to LI's address there"
        yield flaw("site.yaml", "dns.li", value="", message=message, fix="the address of the LI network's name server")
    for address in settings.dns.li:
        if address in settings.dns.main:
            message = "also serves the main view; one server cannot answer both unless it has views"
            fix = "a server of the LI network"
            yield flaw("site.yaml", "dns.li", value=address, message=message, fix=fix, severity=Severity.WARNING)


def policies_enforced(view: LintView) -> Iterator[Finding]:
    """Find a CNI that ignores NetworkPolicies."""
    settings = view.site.settings
    if not settings.cni.enforces_policies:
        li = settings.features.li
        kept = "the open overlay port leaves LI's pods to NetworkPolicy alone" if li else "every pod reaches every pod"
        message = f"enforces no NetworkPolicy, and {kept}"
        severity = Severity.ERROR if li else Severity.WARNING
        fix = "`policies: kube-router` beside it, calico, or a waiver that says who answers for it"
        yield flaw("site.yaml", "cni.name", value=settings.cni.name, message=message, fix=fix, severity=severity)


CHECKS = (
    Check(
        id="li-network",
        why="Lawful intercept lives in an isolated network or not at all.",
        judge=li_network,
    ),
    Check(id="li-clients", why="LI administrators come from the isolated side.", judge=li_clients),
    Check(
        id="li-border",
        why="A word that holds isolated addresses opens the border inwards.",
        judge=border_words,
    ),
    Check(
        id="management-world",
        severity=Severity.WARNING,
        why="Whoever may manage the servers should be named.",
        judge=wide_words,
    ),
    Check(
        id="li-tls-http01",
        why="LI-only names cannot pass an HTTP-01 challenge.",
        judge=li_certificate,
    ),
    Check(id="li-dns-missing", why="LI resolves the main server's name to itself.", judge=li_dns),
    Check(
        id="cni-enforces-nothing",
        why="Without NetworkPolicies pods are not separated.",
        judge=policies_enforced,
    ),
)
