"""What holds pods to their NetworkPolicies beside a pod network that does not."""

from __future__ import annotations

import yaml

from model.kubernetes.manifests import Manifest
from model.rollout.policies import system_policies
from model.site.site import Site
from tasks.render import render

# Nobody but kubelet asks it: no row opens it, so the host's firewall keeps it.
HEALTH_PORT = 20244


def manifests(site: Site, enforcer: str) -> tuple[Manifest, ...]:
    """
    Return what holds pods, where anything does: kube-router's objects (`enforcer` is its image), and the policies of
    the cluster's own pods.
    """
    if not site.settings.cni.enforces_policies:
        return ()
    return (*(_kube_router(site, enforcer) if enforcer else ()), *system_policies(site))


def _kube_router(site: Site, image: str) -> tuple[Manifest, ...]:
    """Return kube-router as the firewall of pods and nothing else."""
    kubernetes = site.settings.kubernetes
    families = {cidr.version for cidr in kubernetes.pod_cidrs}
    text = render(
        "manifests/kube-router/kube-router.yaml",
        image=image,
        families=families,
        services=[str(cidr) for cidr in kubernetes.service_cidrs],
        health_port=HEALTH_PORT,
        loopback="127.0.0.1" if 4 in families else "::1",
        endpoint=kubernetes.endpoint,
    )
    return tuple(yaml.load_all(text, Loader=yaml.CSafeLoader))
