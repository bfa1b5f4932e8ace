"""Who signs the site's certificates, and for which names."""

from __future__ import annotations

from pathlib import Path

from model.errors import SiteError
from model.site.site import Site

NAME = "matrix-fleet"
SECRET = "matrix-tls"  # noqa: S105
_PRODUCTION = "https://acme-v02.api.letsencrypt.org/directory"
_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"


def values(site: Site) -> dict[str, object]:
    """Return the variables of the templates. Raises `SiteError` for what the method needs and the site does not say."""
    tls = site.settings.tls
    acme = tls.method in ("letsencrypt-http01", "letsencrypt-dns01")
    if acme and tls.email is None:
        raise _missing("tls.email", "an address that Let's Encrypt may write to before certificates end")
    if tls.method == "letsencrypt-dns01" and not tls.dns01:
        raise _missing("tls.dns01", "how the zone's records are written, such as `rfc2136: {nameserver: ...}`")
    return {
        "issuer": NAME,
        "tls_secret": SECRET,
        "method": tls.method,
        "names": public_names(site),
        "server": _STAGING if tls.staging else _PRODUCTION,
        "email": tls.email,
        "solver": tls.dns01,
        "ingress_class": site.settings.ingress.class_name,
        "certificate": _certificate(site) if tls.method == "organisation" else "",
    }


def public_names(site: Site) -> tuple[str, ...]:
    """Return the names that the ingress answers to: the homeserver's, the domain's own, the web client's."""
    domain = site.settings.domain
    client = (f"chat.{domain}",) if site.settings.features.element_web else ()
    return (f"matrix.{domain}", domain, *client)


def _certificate(site: Site) -> str:
    if site.settings.tls.certificate is None:
        raise _missing("tls.certificate", "the PEM file of the organisation's certificate and its chain")
    path = Path(site.folder / site.settings.tls.certificate)
    try:
        return path.read_text("ascii")
    except (OSError, ValueError) as error:
        raise SiteError(f"site.yaml: tls.certificate: {path} cannot be read: {error}") from error


def _missing(field: str, what: str) -> SiteError:
    return SiteError(f"site.yaml: {field} is missing: tls.method needs it", next_step=f"write there {what}")
