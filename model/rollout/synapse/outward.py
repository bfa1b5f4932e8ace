"""The parts of Synapse's configuration about the world outside: mail, and with whom it federates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model.errors import SiteError
from model.rollout.synapse.duties import ProcessPool
from model.rollout.synapse.processes import MAIN
from model.site.settings import Settings
from model.site.site import Site

Config = dict[str, Any]
AUTHORITY = "federation-ca.pem"
MAIL_AUTHORITY = "mail-ca.pem"
LOGIN_SECRET = "synapse-mail"  # noqa: S105 - the name of an object
# Of Synapse's processes these send mail: what somebody asked for, and what somebody missed.
_SENDERS = frozenset({MAIN, "pusher"})
_TLS: Mapping[str, Config] = {
    "starttls": {"enable_tls": True, "require_transport_security": True},
    "implicit": {"enable_tls": True, "force_tls": True},
    "none": {"enable_tls": False},
}


def mail_host(settings: Settings) -> str:
    """Return the mail server's name."""
    return settings.mail.host or f"smtp.{settings.domain}"


def email(settings: Settings) -> Config:
    """Return Synapse's `email`, which is nothing where it sends none; the login is no part of it."""
    if not settings.features.smtp:
        return {}
    sender = settings.mail.sender or f"matrix@{settings.domain}"
    block = {
        "smtp_host": mail_host(settings),
        "smtp_port": settings.mail.port,
        **_TLS[settings.mail.tls],
        "notif_from": f"Matrix <{sender}>",
        "enable_notifs": True,
        "notif_for_new_users": False,
    }
    return {"email": block}


def logs_in(settings: Settings, pool: ProcessPool) -> bool:
    """Return whether a pool's processes hold the login at the mail server: those that send, and no other."""
    return sends_mail(pool) and "smtp_login" in settings.active


def sends_mail(pool: ProcessPool) -> bool:
    """Return whether a pool's processes send mail, where the site sends any."""
    return pool.name in _SENDERS


def partners(settings: Settings) -> Config:
    """Return with whom Synapse federates: with nobody where the site does not, with everybody where none is named."""
    if not settings.federation:
        # Left out, it would mean everybody.
        return {"federation_domain_whitelist": []}
    named, found = settings.federation_partners, Config()
    if named.domains:
        found["federation_domain_whitelist"] = list(named.domains)
    if named.ca:
        found["federation_custom_ca_list"] = [f"/conf/{AUTHORITY}"]
    return found


def allowed_addresses(settings: Settings) -> Config:
    """Return the private addresses that Synapse may speak to: other homeservers', and the site's own push gateway's."""
    allowed = [str(network) for network in settings.federation_partners.networks] if settings.federation else []
    if "push_gateway" in settings.active and (ingress := settings.external.get("ingress")):
        allowed += [str(address) for address in ingress.addresses]
    return {"ip_range_whitelist": allowed} if allowed else {}


def authority(site: Site) -> str:
    """Return the certificate of the partners' authority, empty where none is named. Raises `SiteError`."""
    name = site.settings.federation_partners.ca if site.settings.federation else None
    return _certificate(site, name, "federation_partners.ca", "the other homeservers' authority")


def mail_authority(site: Site) -> str:
    """Return the certificate of the mail server's authority, empty where none is named. Raises `SiteError`."""
    name = site.settings.mail.ca if site.settings.features.smtp else None
    return _certificate(site, name, "mail.ca", "the mail server's authority")


def _certificate(site: Site, name: str | None, path: str, whose: str) -> str:
    try:
        return (site.folder / name).read_text("ascii") if name else ""
    except (OSError, ValueError) as error:
        raise SiteError(
            f"site.yaml: {path}: {site.folder / str(name)} cannot be read: {error}",
            next_step=f"put the PEM file of {whose} there",
        ) from error
