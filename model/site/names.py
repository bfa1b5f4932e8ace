"""The names that the organisation's DNS must have, for whom, and where they must lead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model.base import Address
from model.site.site import Site


@dataclass(frozen=True, slots=True)
class Record:
    """
    A name and its addresses, of both families where both are declared.

    `view`: who must be told so, hosts of the main networks or those of LI. `only`: nobody else may resolve it. One that
    is not `fixed` may lead elsewhere too: to somebody who serves the same there.
    """

    name: str
    addresses: frozenset[Address]
    view: str
    why: str
    only: bool = False
    fixed: bool = True


def records(site: Site) -> tuple[Record, ...]:
    """Return every name of the site; those whose addresses nobody declared are left out."""
    return tuple(record for record in (*_main(site), *_li(site), *_endpoint(site)) if record.addresses)


def _main(site: Site) -> Iterator[Record]:
    domain = site.settings.domain
    features = site.settings.features
    yield Record(f"matrix.{domain}", _external(site, "ingress"), "main", "Synapse")
    if features.element_web:
        yield Record(f"chat.{domain}", _external(site, "ingress"), "main", "Element Web")
    # The organisation's web site may live there and serve the documents; a gate reads them wherever the name leads.
    yield Record(domain, _external(site, "ingress"), "main", "well-known documents", fixed=False)
    if features.turn:
        yield Record(f"turn.{domain}", _external(site, "turn"), "main", "coturn")
    if features.livekit:
        yield Record(f"livekit.{domain}", _external(site, "livekit"), "main", "LiveKit")


def _li(site: Site) -> Iterator[Record]:
    if not site.settings.features.li:
        return
    ingress, domain = frozenset(site.settings.li.ingress), site.settings.domain
    yield Record(f"matrix.{domain}", ingress, "li", "LI's Synapse, under the same name")
    for label, why in (("chat-li", "Element Web"), ("admin-li", "Synapse Admin"), ("keyvault", "key_vault")):
        yield Record(f"{label}.{domain}", ingress, "li", f"LI's {why}", only=True)


def _endpoint(site: Site) -> Iterator[Record]:
    endpoint = site.settings.kubernetes.endpoint
    for view in ("main", "li") if site.settings.features.li else ("main",):
        yield Record(endpoint.name, frozenset(endpoint.addresses), view, "the Kubernetes API")


def _external(site: Site, name: str) -> frozenset[Address]:
    external = site.settings.external.get(name)
    return frozenset(external.addresses) if external else frozenset()
