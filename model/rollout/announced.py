"""
Components by the feature that needs them. Some are still to come, and a site's own components.yaml may lack others:
secrets.yaml may name all of them, and a feature without any deploys nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from model.site.site import Site

# By the feature of site.yaml that needs them.
BY_FEATURE: Mapping[str, tuple[str, ...]] = {
    "turn": ("coturn",),
    "livekit": ("livekit",),
    "element_call": ("lk-jwt-service",),
    "li": ("postgresql-li", "li-sync", "synapse-li", "key-vault"),
    "antivirus": ("content-scanner",),
    "monitoring": ("grafana",),
    "push_notifications": ("sygnal",),
    "element_web": ("element-web",),
    "admin_ui": ("ketesa",),
    "autoscaling": ("metrics-server",),
}
ANNOUNCED = frozenset(name for names in BY_FEATURE.values() for name in names)


def undeployed(site: Site) -> tuple[str, ...]:
    """Return the features that are on and of which no component of the site brings anything."""
    known = {component.name for component in site.components}
    active = site.settings.active
    return tuple(name for name, parts in BY_FEATURE.items() if name in active and not known.intersection(parts))
