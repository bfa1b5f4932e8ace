"""Components that are still to come: secrets.yaml may name them, and the features that need them deploy nothing yet."""

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
}
ANNOUNCED = frozenset(name for names in BY_FEATURE.values() for name in names)


def undeployed(site: Site) -> tuple[str, ...]:
    """Return the features that are on and of which no component of the site brings anything."""
    known = {component.name for component in site.components}
    active = site.settings.active
    return tuple(name for name, parts in BY_FEATURE.items() if name in active and not known.intersection(parts))
