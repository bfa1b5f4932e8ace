"""Rules of mail, pushes and federation: what a feature needs to be told is told, and what is told has a use."""

from __future__ import annotations

from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.lint.flaw import LintView, flaw
from model.rollout.synapse.outward import mail_host

_FILE = "site.yaml"


def mail_server(view: LintView) -> Iterator[Finding]:
    """
    Find mail without a server, over a port that no row opens, with a password that everybody can read, or to a server
    whose authority is not there.
    """
    settings = view.site.settings
    if not settings.features.smtp:
        return
    mail = settings.mail
    if mail.host is None:
        message = f"features.smtp is on and no mail server is named: {mail_host(settings)} is taken"
        yield flaw(_FILE, "mail.host", value="", message=message, fix="the mail server's name")
    if not _leaves(view, mail.port):
        message = "Synapse's pods may not leave for this port: no active pod row to the internet has it"
        fix = "587, or the port in the rows smtp and pod-smtp of ports.yaml"
        yield flaw(_FILE, "mail.port", value=mail.port, message=message, fix=fix)
    if mail.tls == "none" and mail.login:
        message = "the login goes over the network in clear"
        fix = "starttls or implicit, or `login: false`"
        yield flaw(_FILE, "mail.tls", value="none", message=message, fix=fix, severity=Severity.ERROR)
    if mail.ca is not None and not (view.site.folder / mail.ca).is_file():
        message, fix = "is no file of the site's folder", "the PEM file of the mail server's authority"
        yield flaw(_FILE, "mail.ca", value=mail.ca, message=message, fix=fix, severity=Severity.ERROR)


def untried(view: LintView) -> Iterator[Finding]:
    """Find mail and federation that no gate can try for want of somebody at the other end."""
    settings = view.site.settings
    if settings.features.smtp and settings.mail.probe is None:
        fix = "an address that may be written to"
        yield flaw(_FILE, "mail.probe", value="", message="nobody sees whether mail is taken", fix=fix)
    if settings.federation and settings.federation_partners.probe is None:
        fix = "the name of a homeserver that federates with this one"
        path = "federation_partners.probe"
        yield flaw(_FILE, path, value="", message="nobody sees whether federation reaches others", fix=fix)


def push_gateway(view: LintView) -> Iterator[Finding]:
    """Find a push gateway that nobody asks, and one whose certificate Synapse does not trust."""
    settings = view.site.settings
    if settings.push.apns is None and settings.push.firebase is None:
        return
    if not settings.features.push_notifications:
        message = "features.push_notifications is off: the gateway is not rolled out"
        yield flaw(_FILE, "push", value="", message=message, fix="turn it on, or take this out")
    elif settings.tls.method == "internal-ca":
        message = "Synapse pushes by the public name and trusts public authorities alone: pushes would fail"
        fix = "letsencrypt-dns01, letsencrypt-http01, or organisation with a public authority's certificate"
        yield flaw(_FILE, "tls.method", value="internal-ca", message=message, fix=fix)


def partners(view: LintView) -> Iterator[Finding]:
    """Find a partner to be asked with whom the site does not federate, and a file of an authority that is not there."""
    settings, named = view.site.settings, view.site.settings.federation_partners
    path = "federation_partners"
    if not settings.federation:
        return
    if named.domains and named.probe is not None and named.probe not in named.domains:
        message, fix = "is not among federation_partners.domains", f"one of {', '.join(named.domains)}"
        yield flaw(_FILE, f"{path}.probe", value=named.probe, message=message, fix=fix)
    if named.ca is not None and not (view.site.folder / named.ca).is_file():
        message, fix = "is no file of the site's folder", "the PEM file of the other homeservers' authority"
        yield flaw(_FILE, f"{path}.ca", value=named.ca, message=message, fix=fix)


def _leaves(view: LintView, port: int) -> bool:
    rows = (row for row in view.site.active_rows if row.plane == "pod" and "internet" in row.destination_ends)
    mine = (row for row in rows if row.protocol == "tcp" and {"synapse", "synapse-worker"} <= {*row.pod_from})
    return any(low <= port <= high for row in mine for low, high in row.intervals)


CHECKS = (
    Check(
        id="mail-server",
        why="Whoever forgot a password waits for a mail that Synapse cannot send.",
        severity=Severity.WARNING,
        judge=mail_server,
    ),
    Check(
        id="outward-untried",
        why="What nobody sees at work is unproven, and a rollout is not good with it.",
        severity=Severity.WARNING,
        judge=untried,
    ),
    Check(
        id="push-gateway",
        why="A phone that is told of nothing looks as if nobody had written.",
        severity=Severity.WARNING,
        judge=push_gateway,
    ),
    Check(
        id="federation-partners",
        why="A homeserver that is refused, or not trusted, answers no question.",
        judge=partners,
    ),
)
