"""Contour's own manifest, fitted to the site: Envoy on host ports of the ingress nodes, Contour on workers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from model.errors import SiteError
from model.kubernetes.manifests import Manifest
from model.rollout.adapting import (
    Image,
    argument,
    containers,
    expression,
    harden,
    label,
    place,
    pods,
    resources,
    the,
    without,
)
from model.rollout.jobs import job_name
from model.rollout.placement import replicas, roles
from model.rollout.scale import scaled
from model.site.site import Site

CONTROLLERS = 2
# What its publisher's objects run.
IMAGES = ("contour", "envoy")
_USER = 65534
_CONTROLLER = {"app": "contour"}
_WORDS = {"contour": "contour", "envoy": "ingress", "contour-certgen": "contour-certgen"}


def values(site: Site) -> dict[str, object]:
    """Return the variables of the templates."""
    return {"controllers": replicas(site, "application", CONTROLLERS), "class_name": site.settings.ingress.class_name}


def adapt(objects: Sequence[Manifest], site: Site, image: Image) -> list[Manifest]:
    """
    Return the publisher's objects as they are applied.

    Its Service for a cloud's balancer is left out: clients come to host ports, and their addresses stay theirs. So is
    its configuration, nothing but comments: ours is a template.
    """
    mine = without(objects, ("Namespace", "projectcontour"), ("Service", "envoy"), ("ConfigMap", "contour"))
    for _, template in pods(mine):
        app = template["metadata"]["labels"]["app"]
        harden(template, user=_USER, token=app != "envoy")
        label(template, _WORDS[app])
        for container in containers(template):
            container["image"] = image("envoy" if container["name"] == "envoy" else "contour")
    _controller(the(mine, "Deployment", "contour"), site)
    _proxy(the(mine, "DaemonSet", "envoy"), site)
    _certificates(the(mine, "Job", "contour-certgen"), site)
    return mine


def ingress_hosts(site: Site) -> tuple[str, ...]:
    """Return the hosts that the perimeter hands the ingress's packets to. Raises `SiteError` where none is said."""
    external = site.settings.external.get("ingress")
    if external is None:
        raise SiteError(
            "site.yaml: external.ingress is missing: nothing says on which hosts the ingress listens",
            next_step="name its addresses and targets, or `ingress: {controller: organisation}`",
        )
    return external.targets


def _controller(deployment: Manifest, site: Site) -> None:
    spec: dict[str, Any] = deployment["spec"]
    spec["replicas"] = replicas(site, "application", CONTROLLERS)
    spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    place(spec["template"], roles(site, "application"), _CONTROLLER)
    (container,) = containers(spec["template"])
    # It listens for its debugger on the pod's own loopback: no port leads there.
    container["ports"] = [port for port in container["ports"] if port["name"] != "debug"]
    resources(container, "50m", "64Mi", scaled(site, {0: "192Mi", 5_000: "512Mi"}))
    # Envoy listens for both families: `::` takes IPv4 as well, the default takes IPv4 only.
    for listener in ("http", "https"):
        argument(container, f"--envoy-service-{listener}-address", "::")
    argument(container, "--ingress-class-name", site.settings.ingress.class_name)
    runtime = site.settings.kubernetes.runtime
    argument(container, "--leader-election-lease-duration", f"{runtime.leader_lease_seconds}s")
    argument(container, "--leader-election-renew-deadline", f"{runtime.leader_renewal_seconds}s")
    if external := site.settings.external.get("ingress"):
        argument(container, "--ingress-status-address", str(external.addresses[0]))
    container["livenessProbe"] |= {"periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6}


def _proxy(daemon_set: Manifest, site: Site) -> None:
    template = daemon_set["spec"]["template"]
    # A node that the perimeter does not know serves nobody.
    terms = [{"matchExpressions": [expression("kubernetes.io/hostname", ingress_hosts(site))]}]
    template["spec"]["affinity"] = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    }
    for container in containers(template):
        if container["name"] == "envoy":
            resources(container, "100m", "128Mi", scaled(site, {0: "512Mi", 1_000: "1Gi", 5_000: "2Gi", 20_000: "4Gi"}))
            container["livenessProbe"] = {
                "httpGet": {"path": "/ready", "port": 8002},
                "initialDelaySeconds": 10,
                "periodSeconds": 10,
                "timeoutSeconds": 5,
                "failureThreshold": 12,
            }
        else:
            resources(container, "10m", "32Mi", "128Mi")


def _certificates(job: Manifest, site: Site) -> None:
    """Name the job after what it does: a job cannot be changed, only another one made."""
    template = job["spec"]["template"]
    place(template, roles(site, "application"), None)
    for container in containers(template):
        resources(container, "10m", "32Mi", "128Mi")
    job["metadata"]["name"] = f"contour-certgen-{job_name(json.dumps(template, sort_keys=True))}"
