"""What HAProxy's templates need besides the site: routes, backends, sizes and the documents it serves."""

from __future__ import annotations

import json
from dataclasses import dataclass

from model.errors import SiteError
from model.kubernetes.service_names import service_name
from model.rollout.synapse.duties import ProcessPool
from model.rollout.synapse.homeserver import bind_address
from model.rollout.synapse.processes import (
    MAIN,
    MAIN_PORT,
    WORKER_PORT,
    Processes,
    processes,
    service,
)
from model.rollout.synapse.routes import dumped
from model.rollout.synapse.routing import INITIAL, SYNC, Routing, routing
from model.rollout.values import sygnal
from model.rollout.values.synapse import NAMESPACE, most
from model.site.settings import Settings
from model.site.site import Site

# While a pod is replaced DNS knows the old one and the new one.
OVERLAP = 2
# Long polls wait in great numbers; whoever works for each request is given fewer at a time.
CONNECTIONS = {MAIN: 250, SYNC: 2000, INITIAL: 50}
USUAL_CONNECTIONS = 500
LONGEST_ANSWER = "190s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A pool as HAProxy finds it: its name in DNS, and room for so many pods."""

    pool: ProcessPool
    address: str
    port: int
    slots: int
    maxconn: int


def values(site: Site) -> dict[str, object]:
    """Return the variables of HAProxy's templates."""
    settings, running = site.settings, processes(site.settings, NAMESPACE)
    table = dumped(synapse_version(site))
    routed = routing(table, running)
    users = running.size if isinstance(running.size, int) else 100
    return {
        "version": table.version,
        "routing": routed,
        "backends": backends(running, routed),
        "roles": sorted(name for name, traits in site.roles.items() if traits.purpose == "application"),
        "public_name": f"matrix.{settings.domain}",
        "annotations": ingress_annotations(settings),
        "client_document": client_document(settings),
        "server_document": server_document(settings),
        "refusal": {"errcode": "M_FORBIDDEN", "error": "Not served here"},
        "push_gateway": "push_gateway" in settings.active,
        "push_path": sygnal.PATH,
        "push_port": sygnal.PORT,
        "push_slots": sygnal.GATEWAYS + OVERLAP,
        "push_address": service_name("sygnal", NAMESPACE),
        "quoted": quoted,
        "bind": "[::]" if bind_address(settings) == "::" else "",
        "both": " v4v6" if bind_address(settings) == "::" else "",
        "family": "ipv6" if settings.kubernetes.service_cidrs[0].version == 6 else "ipv4",
        "maxconn": max(2000, users),
        "replicas": 2 if users < 5000 else 3,
        "cpu": "50m" if users < 1000 else "500m",
        "memory": "64Mi" if users < 1000 else "512Mi",
        "memory_limit": "256Mi" if users < 1000 else "2Gi",
    }


def synapse_version(site: Site) -> str:
    """Return the version of Synapse that the site's image is tagged with. Raises `SiteError` where it has none."""
    if "synapse" not in site.images:
        raise SiteError(
            "images.yaml: no image is called synapse, and routes are those of its version",
            next_step="copy its lines from the project's inventory/images.yaml (docs/images.md)",
        )
    return site.images["synapse"].tag.removeprefix("v").partition("-")[0]


def backends(running: Processes, routed: Routing) -> tuple[Backend, ...]:
    """Return the pools that requests reach."""
    return tuple(
        Backend(
            pool=pool,
            address=service_name(service(pool), running.namespace),
            port=MAIN_PORT if pool.name == MAIN else WORKER_PORT,
            slots=most(running, pool) + OVERLAP,
            maxconn=CONNECTIONS.get(pool.name, USUAL_CONNECTIONS),
        )
        for pool in running.pools
        if pool.name in routed.pools
    )


def client_document(settings: Settings) -> dict[str, object]:
    """Return what `/.well-known/matrix/client` says."""
    document: dict[str, object] = {"m.homeserver": {"base_url": f"https://matrix.{settings.domain}"}}
    if settings.features.element_call:
        focus = {"type": "livekit", "livekit_service_url": f"https://livekit.{settings.domain}"}
        document["org.matrix.msc4143.rtc_foci"] = [focus]
    return document


def server_document(settings: Settings) -> dict[str, object] | None:
    """
    Return what `/.well-known/matrix/server` says, None where nobody needs it: other servers, and whoever hands out
    tokens of calls and finds the homeserver by it.
    """
    needed = settings.federation or settings.features.element_call
    return {"m.server": f"matrix.{settings.domain}:443"} if needed else None


def ingress_annotations(settings: Settings) -> dict[str, str]:
    """Return how the ingress controller is told to bear long polls and large files."""
    if settings.ingress.controller == "contour":
        return {
            "projectcontour.io/response-timeout": LONGEST_ANSWER,
            "ingress.kubernetes.io/force-ssl-redirect": "true",
        }
    return {
        "nginx.ingress.kubernetes.io/proxy-read-timeout": LONGEST_ANSWER.removesuffix("s"),
        "nginx.ingress.kubernetes.io/proxy-body-size": "100m",
    }


def quoted(document: dict[str, object]) -> str:
    """Write a document as one word of HAProxy's configuration; what would end its quotes is refused."""
    text = json.dumps(document, separators=(",", ":"))
    if "'" in text:
        raise ValueError(f"no apostrophe may stand in {text}")
    return f"'{text}'"
