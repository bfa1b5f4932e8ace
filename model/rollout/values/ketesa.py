"""What the templates of the administration's pages need besides the site: whom they speak to, how they are served."""

from __future__ import annotations

from typing import Any

from model.rollout.placement import replicas, roles
from model.rollout.scale import users
from model.rollout.synapse.homeserver import bind_address
from model.site.settings import Settings
from model.site.site import Site

PORT = 8080
# Of the proxy's frontend that no ingress leads to: the administration's API is there alone.
_INSIDE = 8009
_ALONE = 100


def values(site: Site) -> dict[str, object]:
    """Return the variables of the templates."""
    return {
        "config": config(site.settings),
        "environment": environment(site.settings),
        "port": PORT,
        "servers": replicas(site, "application", 1 if users(site) <= _ALONE else 2),
        "roles": roles(site, "application"),
    }


def config(settings: Settings) -> dict[str, Any]:
    """
    Return `config.json`: the homeservers that whoever logs in may choose, which are two addresses of the site's own.

    The first is the proxy's inner port, brought to the administrator's machine by `kubectl port-forward`; the second is
    for an organisation whose own network leads administrators there: to everybody it refuses the API.
    """
    return {"restrictBaseUrl": [f"http://localhost:{_INSIDE}", f"https://matrix.{settings.domain}"]}


def environment(settings: Settings) -> dict[str, str]:
    """Return the settings of the static web server: where its files are, where it listens, what it says of them."""
    return {
        "SERVER_HOST": bind_address(settings),
        "SERVER_PORT": str(PORT),
        "SERVER_ROOT": "/var/public",
        "SERVER_FALLBACK_PAGE": "/var/public/index.html",
        "SERVER_HEALTH": "true",
        "SERVER_SECURITY_HEADERS": "true",
    }
