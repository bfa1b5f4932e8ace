"""cert-manager's own manifest, fitted to the site: images, places, probes, two webhooks that answer API servers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model.kubernetes.manifests import Manifest
from model.rollout.adapting import Image, argument, containers, harden, label, place, resources, the, without
from model.rollout.placement import replicas, roles
from model.site.site import Site

WEBHOOKS = 2
# What its publisher's objects run; its containers are called as their images are.
IMAGES = ("cert-manager-controller", "cert-manager-cainjector", "cert-manager-webhook", "cert-manager-acmesolver")
_NAMESPACE = "cert-manager"
_LEADING = ("cert-manager", "cert-manager-cainjector")
_WEBHOOK = "cert-manager-webhook"
_WEBHOOK_LABELS = {"app.kubernetes.io/name": "webhook", "app.kubernetes.io/component": "webhook"}
_USER = 65532
_METRICS = 9402
_METRICS_NAMES = frozenset({_METRICS, "http-metrics"})
# Its publisher lets nobody ask whether the controller is ready, and before 1.14 not whether it lives either.
_OPEN: Mapping[str, object] = {"tcpSocket": {"port": _METRICS}, "periodSeconds": 10, "timeoutSeconds": 5}


def values(site: Site) -> dict[str, object]:
    """Return the variables of the templates."""
    return {"webhooks": replicas(site, "application", WEBHOOKS), "webhook_labels": _WEBHOOK_LABELS}


def adapt(objects: Sequence[Manifest], site: Site, image: Image) -> list[Manifest]:
    """
    Return the publisher's objects as they are applied.

    Leaders are elected in its own namespace, not among the cluster's own parts. Without monitoring nobody may ask for
    metrics, so that no Service leads to them.
    """
    mine = without(objects, ("Namespace", _NAMESPACE))
    for name in _LEADING:
        for kind in ("Role", "RoleBinding"):
            the(mine, kind, f"{name}:leaderelection")["metadata"]["namespace"] = _NAMESPACE
    for account in (manifest for manifest in mine if manifest["kind"] == "ServiceAccount"):
        # Pods that speak to the API ask for the token themselves.
        account["automountServiceAccountToken"] = False
    for name in (*_LEADING, _WEBHOOK):
        _pods(the(mine, "Deployment", name)["spec"]["template"], name, site, image)
    _controller(the(mine, "Deployment", _LEADING[0]), image)
    _webhook(the(mine, "Deployment", _WEBHOOK), site)
    return mine if site.settings.features.monitoring else list(_unwatched(mine))


def _pods(template: dict[str, Any], word: str, site: Site, image: Image) -> None:
    harden(template, user=_USER, token=True)
    label(template, word)
    place(template, roles(site, "application"), None)
    for container in containers(template):
        container["image"] = image(container["name"])
        resources(container, "20m", "64Mi", "256Mi")
        if word in _LEADING:
            argument(container, "--leader-election-namespace", _NAMESPACE)


def _controller(deployment: Manifest, image: Image) -> None:
    for container in containers(deployment["spec"]["template"]):
        argument(container, "--acme-http01-solver-image", image("cert-manager-acmesolver"))
        container.setdefault("readinessProbe", {**_OPEN, "failureThreshold": 3})
        container.setdefault("livenessProbe", {**_OPEN, "failureThreshold": 8})


def _webhook(deployment: Manifest, site: Site) -> None:
    """Have two of them on different nodes: while none answers, none of its objects can be changed."""
    spec: dict[str, Any] = deployment["spec"]
    spec["replicas"] = replicas(site, "application", WEBHOOKS)
    if spec["replicas"] > 1:
        spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
        place(spec["template"], roles(site, "application"), _WEBHOOK_LABELS)
    for container in containers(spec["template"]):
        resources(container, "20m", "32Mi", "128Mi")
        # A busy one must not be taken for a dead one.
        container["readinessProbe"] |= {"timeoutSeconds": 5}
        container["livenessProbe"] |= {"timeoutSeconds": 5, "failureThreshold": 6}


def _unwatched(objects: Sequence[Manifest]) -> Iterator[Manifest]:
    """Yield the objects without ports of Services that lead to metrics, nor Services that have no other."""
    for manifest in objects:
        if manifest["kind"] == "Service":
            ports = manifest["spec"]["ports"]
            kept = [port for port in ports if port.get("targetPort", port["port"]) not in _METRICS_NAMES]
            if not kept:
                continue
            manifest["spec"]["ports"] = kept
        yield manifest
