"""What the push gateway's templates need besides the site: its apps, where their keys lie, and its number."""

from __future__ import annotations

from typing import Any

from model.rollout.placement import replicas, roles
from model.rollout.synapse.homeserver import bind_address
from model.rollout.values.synapse import as_yaml
from model.site.outward import PushGateway
from model.site.site import Site

GATEWAYS = 2
PORT = 5000
PATH = "/_matrix/push/v1/notify"


def values(site: Site) -> dict[str, object]:
    """Return the variables of the templates."""
    return {
        "apps": apps(site.settings.push),
        "bind": bind_address(site.settings),
        "port": PORT,
        "gateways": replicas(site, "application", GATEWAYS),
        "roles": roles(site, "application"),
        "as_yaml": as_yaml,
    }


def apps(push: PushGateway) -> dict[str, dict[str, Any]]:
    """Return Sygnal's `apps`: by the id that phones name, whose push service is asked and with which key."""
    found: dict[str, dict[str, Any]] = {}
    if apns := push.apns:
        found[apns.app] = {
            "type": "apns",
            "keyfile": "/keys/apns.p8",
            "key_id": apns.key_id,
            "team_id": apns.team_id,
            "topic": apns.topic,
            "platform": apns.platform,
        }
    if firebase := push.firebase:
        found[firebase.app] = {
            "type": "gcm",
            "api_version": "v1",
            "project_id": firebase.project,
            "service_account_file": "/keys/firebase.json",
        }
    return found
