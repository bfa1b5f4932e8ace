"""Can certificates come from where the site says, and come again?"""

from __future__ import annotations

from collections.abc import Iterator

from model.base import Domain
from model.lint.finding import Flaw, Rule, View
from model.site.site import Site

# Names that no public authority issues certificates for (RFC 2606, RFC 6761, RFC 6762).
PRIVATE_NAMES = (
    "test",
    "example",
    "invalid",
    "localhost",
    "local",
    "internal",
    "example.com",
    "example.net",
    "example.org",
)
ACME = ("letsencrypt-http01", "letsencrypt-dns01")


def certificate(view: View) -> Iterator[Flaw]:
    """Find certificate methods without what they need."""
    settings = view.site.settings
    tls, methods = settings.tls, {settings.tls.method} | ({settings.tls.li_method} if settings.features.li else set())
    if methods & set(ACME):
        if tls.email is None:
            yield Flaw(
                "site.yaml",
                "tls.email",
                value="",
                message="Let's Encrypt needs a contact address",
                fix="an e-mail address",
            )
        if _private(settings.domain):
            message = "no public authority issues certificates for it"
            fix = "a public domain, or internal-ca"
            yield Flaw("site.yaml", "domain", value=settings.domain, message=message, fix=fix, severity="warning")
    if "letsencrypt-http01" in methods and not opens(view.site, 80, "ingress"):
        message = "HTTP-01 comes in on port 80 and no active row opens it"
        yield Flaw(
            "site.yaml",
            "tls.method",
            value="letsencrypt-http01",
            message=message,
            fix="the row for 80/tcp, or another method",
        )
    if "organisation" in methods:
        for word in ("certificate", "private_key"):
            if getattr(tls, word) is None:
                message = "the organisation's certificate is not named"
                yield Flaw("site.yaml", f"tls.{word}", value="", message=message, fix="the path of the PEM file")


def _private(domain: Domain) -> bool:
    return any(domain == name or domain.endswith(f".{name}") for name in PRIVATE_NAMES)


def renewal(view: View) -> Iterator[Flaw]:
    """Find certificates that cannot be renewed once the way out is closed, and staging ones of a large site."""
    settings = view.site.settings
    if settings.egress == "closed" and {settings.tls.method, settings.tls.li_method} & set(ACME):
        message = "certificates of 90 days or less cannot be renewed without a way to the internet"
        fix = "egress open to the authority, or organisation or internal-ca certificates"
        yield Flaw("site.yaml", "egress", value=settings.egress, message=message, fix=fix)
    if settings.tls.staging and settings.size != "small":
        yield Flaw(
            "site.yaml",
            "tls.staging",
            value="true",
            message="browsers do not trust staging certificates",
            fix="`staging: false`",
        )


def opens(site: Site, port: int, target: str) -> bool:
    """Return whether an active row lets a TCP port in at an external address."""
    rows = (row for row in site.active_rows if row.target == target and row.protocol == "tcp")
    return any(low <= port <= high for row in rows for low, high in row.intervals)


RULES = (
    Rule("certificate", "error", "A certificate method without what it needs ends in no certificate.", certificate),
    Rule("renewal", "warning", "Certificates expire long after everyone has forgotten how they came.", renewal),
)
