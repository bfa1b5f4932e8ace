"""What the templates of Redis's proxy need to know of the site: servers, Sentinels and its own number."""

from __future__ import annotations

from model.rollout.placement import replicas
from model.rollout.values import redis
from model.site.site import Site

PROXIES = 2


def values(site: Site) -> dict[str, object]:
    """Return the variables of the templates."""
    proxies = replicas(site, "application", PROXIES)
    return {
        **redis.values(site),
        "proxies": proxies,
        "family": f"ipv{site.settings.kubernetes.service_cidrs[0].version}",
    }
