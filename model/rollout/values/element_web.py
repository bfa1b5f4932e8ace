"""What the web client's templates need besides the site: its configuration, its headers, its name and its number."""

from __future__ import annotations

from typing import Any

from model.rollout.placement import replicas, roles
from model.rollout.scale import users
from model.rollout.synapse.homeserver import bind_address
from model.rollout.values.haproxy import ingress_annotations
from model.rollout.values.issuers import SECRET
from model.site.settings import Settings
from model.site.site import Site

PORT = 8080
CONFIG = "config.json"
# Up to so many users one pod is enough: it hands out files, and its clients keep them.
_ALONE = 100
# Nobody may show the client within a page of his own: clicks of its users would be his.
HEADERS = {
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
    "Content-Security-Policy": "frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
}


def values(site: Site) -> dict[str, object]:
    """Return the variables of the templates."""
    both = bind_address(site.settings) == "::"
    return {
        "config": config(site.settings),
        "headers": HEADERS,
        "port": PORT,
        "listens": ("0.0.0.0", "[::]") if both else ("0.0.0.0",),  # noqa: S104 - a pod's own, whatever they are
        "public_name": public_name(site.settings),
        "annotations": ingress_annotations(site.settings),
        "tls_secret": SECRET,
        "servers": replicas(site, "application", 1 if users(site) <= _ALONE else 2),
        "cpu": "10m" if users(site) <= _ALONE else "100m",
        "roles": roles(site, "application"),
    }


def public_name(settings: Settings) -> str:
    """Return the web client's name."""
    return f"chat.{settings.domain}"


def config(settings: Settings) -> dict[str, Any]:
    """
    Return the client's `config.json`: the site's own homeserver and no other, no guests, and nobody else's services.

    What is null or left empty is switched off; most of these, left out, would be the client's publisher's.
    """
    calls = settings.features.element_call
    return {
        "default_server_config": {
            "m.homeserver": {"base_url": f"https://matrix.{settings.domain}", "server_name": settings.domain}
        },
        "brand": "Element",
        "disable_custom_urls": True,
        "disable_guests": True,
        "disable_3pid_login": True,
        "default_federate": settings.federation,
        "permalink_prefix": f"https://{public_name(settings)}",
        "room_directory": {"servers": [settings.domain]},
        "show_labs_settings": False,
        "integrations_ui_url": None,
        "integrations_rest_url": None,
        "integrations_widgets_urls": [],
        "mobile_guide_toast": False,
        "mobile_builds": {"ios": None, "android": None, "fdroid": None},
        # Left out, conferences would be held at the publisher's own server; nobody answers as one here.
        "jitsi": {"preferred_domain": public_name(settings)},
        "setting_defaults": {
            "UIFeature.feedback": False,
            "UIFeature.identityServer": False,
            "UIFeature.registration": False,
            "UIFeature.shareSocial": False,
            "UIFeature.voip": settings.features.turn or calls,
            "UIFeature.widgets": calls,
        },
        **({"element_call": {"use_exclusively": True}, "features": {"feature_group_calls": True}} if calls else {}),
    }
