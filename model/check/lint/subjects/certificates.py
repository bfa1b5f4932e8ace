"""Rules of certificates: they can come from where the site says, and come again."""

from __future__ import annotations

from collections.abc import Iterator

from model.base import Domain
from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.judgement.declared import ACME, lacks_contact, lacks_port_80, methods, unnamed_files
from model.check.lint.flaw import LintView, flaw

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


def certificate(view: LintView) -> Iterator[Finding]:
    """Find certificate methods without what they need."""
    settings = view.site.settings
    if methods(view.site) & set(ACME):
        if lacks_contact(view.site):
            yield flaw(
                "site.yaml",
                "tls.email",
                value="",
                message="Let's Encrypt needs a contact address",
                fix="an e-mail address",
            )
        if _private(settings.domain):
            message = "no public authority issues certificates for it"
            fix = "a public domain, or internal-ca"
            yield flaw(
                "site.yaml", "domain", value=settings.domain, message=message, fix=fix, severity=Severity.WARNING
            )
    if lacks_port_80(view.site):
        message = "HTTP-01 comes in on port 80 and no active row opens it"
        yield flaw(
            "site.yaml",
            "tls.method",
            value="letsencrypt-http01",
            message=message,
            fix="the row for 80/tcp, or another method",
        )
    for field in unnamed_files(view.site):
        message = "the organisation's certificate is not named"
        yield flaw("site.yaml", f"tls.{field}", value="", message=message, fix="the path of the PEM file")


def _private(domain: Domain) -> bool:
    return any(domain == name or domain.endswith(f".{name}") for name in PRIVATE_NAMES)


def renewal(view: LintView) -> Iterator[Finding]:
    """Find certificates that cannot be renewed once the way out is closed, and staging ones of a large site."""
    settings = view.site.settings
    if settings.egress == "closed" and {settings.tls.method, settings.tls.li_method} & set(ACME):
        message = "certificates of 90 days or less cannot be renewed without a way to the internet"
        fix = "egress open to the authority, or organisation or internal-ca certificates"
        yield flaw("site.yaml", "egress", value=settings.egress, message=message, fix=fix)
    if settings.tls.staging and settings.size != "small":
        yield flaw(
            "site.yaml",
            "tls.staging",
            value="true",
            message="browsers do not trust staging certificates",
            fix="`staging: false`",
        )


CHECKS = (
    Check(
        id="certificate",
        why="A certificate method without what it needs ends in no certificate.",
        judge=certificate,
    ),
    Check(
        id="renewal",
        severity=Severity.WARNING,
        why="Certificates expire long after everyone has forgotten how they came.",
        judge=renewal,
    ),
)
