"""CloudNativePG's own manifest, fitted to the site: image, places, two operators of which one leads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model.kubernetes.manifests import Manifest
from model.rollout.adapting import Image, argument, containers, harden, label, place, resources, the, without
from model.rollout.placement import replicas, roles
from model.site.site import Site

OPERATORS = 2
# What its publisher's objects run.
IMAGES = ("cloudnative-pg",)
_LABELS = {"app.kubernetes.io/name": "cloudnative-pg"}


def values(site: Site) -> dict[str, object]:
    """Return the variables of the templates."""
    return {"operators": replicas(site, "application", OPERATORS)}


def adapt(objects: Sequence[Manifest], site: Site, image: Image) -> list[Manifest]:
    """Return the publisher's objects as they are applied."""
    mine = without(objects, ("Namespace", "cnpg-system"))
    deployment = the(mine, "Deployment", "cnpg-controller-manager")
    spec: dict[str, Any] = deployment["spec"]
    operators, runtime = replicas(site, "application", OPERATORS), site.settings.kubernetes.runtime
    spec["replicas"] = operators
    spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    template = spec["template"]
    harden(template, user=10001, token=True)
    label(template, "cloudnative-pg")
    place(template, roles(site, "application"), _LABELS)
    for container in containers(template):
        container["image"] = image("cloudnative-pg")
        # Without a limit of CPU: throttled, it answers webhooks and fails over too late.
        resources(container, "50m", "128Mi", "384Mi")
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            container[probe] |= {"timeoutSeconds": 5}
        # It is given three minutes to start: half a minute is too little where every part of the stack starts.
        container["startupProbe"] |= {"failureThreshold": 36}
        container["livenessProbe"] |= {"failureThreshold": 6}
        argument(container, "--leader-lease-duration", str(runtime.leader_lease_seconds))
        argument(container, "--leader-renew-deadline", str(runtime.leader_renewal_seconds))
        for variable in container["env"]:
            if variable["name"] == "OPERATOR_IMAGE_NAME":
                variable["value"] = image("cloudnative-pg")
    for port in the(mine, "Service", "cnpg-webhook-service")["spec"]["ports"]:
        port |= {"name": "webhook", "targetPort": "webhook-server"}
    return mine
