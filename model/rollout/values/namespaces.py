"""The application's namespaces: what their pods may do, and how much they may take."""

from __future__ import annotations

from typing import Any

from model.site.site import Site

# More users than that, and the ceilings rise in proportion.
_USERS = 1000


def values(site: Site) -> dict[str, Any]:
    """Return the template's variables: `namespaces` with their Pod Security levels, and each one's `quota`."""
    return {"namespaces": levels(site), "quota": quota(site)}


def levels(site: Site) -> dict[str, str]:
    """
    Return the level that each namespace enforces.

    Ports of the node are what `baseline` forbids: ingress, calls and the nodes' exporter need `privileged`.
    """
    features = site.settings.features
    found = {"matrix": "restricted", "cert-manager": "restricted", "cnpg-system": "restricted"}
    if site.settings.ingress.controller == "contour":
        found["projectcontour"] = "privileged"
    if features.autoscaling:
        found["metrics-server"] = "restricted"
    if features.li:
        found["matrix-li"] = "restricted"
    if features.turn or features.livekit:
        found["matrix-rtc"] = "privileged"
    if features.monitoring:
        found["monitoring"] = "privileged" if features.node_exporter else "restricted"
    return found


def quota(site: Site) -> dict[str, int | str]:
    """Return how much one namespace may ask for at most: far more than is meant, and less than would starve nodes."""
    factor = max(1, -(-site.settings.concurrent_users // _USERS))
    return {"pods": 150 * factor, "cpu": 200 * factor, "memory": f"{400 * factor}Gi", "claims": 60 * factor}
