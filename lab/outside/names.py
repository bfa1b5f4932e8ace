"""What the hosts outside are called, for whoever asks the router."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from model.base import Address
from model.site.site import Site

# Another organisation's domain, and its homeserver's name.
PARTNER = "partner.test"


def relay_name(domain: str) -> str:
    """Return the name of the organisation's mail relay: the one that a site takes where it names none."""
    return f"smtp.{domain}"


def outside_names(site: Site) -> Iterable[tuple[str, Sequence[Address]]]:
    """Yield both names with the addresses of the vantage host, which is both."""
    for vantage in site.vantages:
        yield relay_name(site.settings.domain), vantage.own
        yield PARTNER, vantage.own
