"""What cert-manager's templates need to know of the site, and its CRDs as its publisher made them."""

from __future__ import annotations

from model.rollout.placement import replicas, roles
from model.site.site import Site

WEBHOOKS = 2


def values(site: Site) -> dict[str, object]:
    """Return the variables of the templates."""
    return {"webhooks": replicas(site, "application", WEBHOOKS), "roles": roles(site, "application")}
