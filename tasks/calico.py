"""Calico's own manifest, as its publisher hands it out, made to say what the site says."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from typing import Any

from model.errors import SiteError
from model.kubernetes.manifests import Manifest
from model.site.site import Site

_NODE = ("DaemonSet", "calico-node")
_CONFIG = ("ConfigMap", "calico-config")
_TYPHA = "calico-typha"
_BIRD = ("-bird-live", "-bird-ready")
_HELP = "carry the publisher's manifest for clusters with their own datastore in the Kubernetes API"


def patched(site: Site, upstream: Iterable[Manifest | None]) -> tuple[Manifest, ...]:
    """
    Return the publisher's objects with the site's networks, mode, encryption and Typha.

    Raises `SiteError` where the objects are not those of Calico, or lack the Typha that the site asks for.
    """
    objects = [copy.deepcopy(item) for item in upstream if item]
    node, config = _find(objects, *_NODE), _find(objects, *_CONFIG)
    if node is None or config is None:
        raise SiteError(f"the manifest of Calico has no {' or no '.join(map(' '.join, (_NODE, _CONFIG)))}; {_HELP}")
    typha = site.settings.cni.typha
    if typha and _find(objects, "Deployment", _TYPHA) is None:
        raise SiteError(f"site.yaml: cni.typha is true, and the manifest of Calico has no {_TYPHA}; {_HELP} and Typha")
    _configure(site, config["data"])
    _run(site, node["spec"]["template"]["spec"])
    if typha:
        # It was found above.
        _find(objects, "Deployment", _TYPHA)["spec"]["replicas"] = _replicas(site)  # type: ignore[index]
        return tuple(objects)
    return tuple(item for item in objects if item["metadata"]["name"] != _TYPHA)


def environment(site: Site) -> dict[str, str]:
    """Return what calico-node reads from its environment."""
    settings = site.settings
    cidrs = {cidr.version: str(cidr) for cidr in settings.kubernetes.pod_cidrs}
    vxlan = "Always" if settings.cni.mode == "vxlan" else "Never"
    values = {
        "CLUSTER_TYPE": "k8s" if settings.cni.mode == "vxlan" else "k8s,bgp",
        "IP": "autodetect" if 4 in cidrs else "none",
        # The node's address as kubelet declares it: that of the network its roles live in.
        "IP_AUTODETECTION_METHOD": "kubernetes-internal-ip",
        "FELIX_IPV6SUPPORT": "true" if 6 in cidrs else "false",
        # What a pod sends to its own node is the host firewall's to judge, like everybody else's.
        "FELIX_DEFAULTENDPOINTTOHOSTACTION": "RETURN",
        "FELIX_NFTABLESMODE": "Enabled" if settings.kubernetes.proxy_mode == "nftables" else "Disabled",
        "FELIX_WIREGUARDENABLED": "true" if settings.cni.wireguard and 4 in cidrs else "false",
        "FELIX_WIREGUARDENABLEDV6": "true" if settings.cni.wireguard and 6 in cidrs else "false",
    }
    if 4 in cidrs:
        values |= {
            "CALICO_IPV4POOL_CIDR": cidrs[4],
            "CALICO_IPV4POOL_IPIP": "Never",
            "CALICO_IPV4POOL_VXLAN": vxlan,
            "CALICO_IPV4POOL_NAT_OUTGOING": "true",
        }
    if 6 in cidrs:
        values |= {
            "IP6": "autodetect",
            "IP6_AUTODETECTION_METHOD": "kubernetes-internal-ip",
            "CALICO_IPV6POOL_CIDR": cidrs[6],
            "CALICO_IPV6POOL_VXLAN": vxlan,
            "CALICO_IPV6POOL_NAT_OUTGOING": "true",
        }
    return values


def _configure(site: Site, data: dict[str, str]) -> None:
    """Set how nodes tell each other of pods, and which addresses pods get."""
    cni = site.settings.cni
    data["calico_backend"] = "vxlan" if cni.mode == "vxlan" else "bird"
    data["typha_service_name"] = _TYPHA if cni.typha else "none"
    # Its words in double underscores are filled in on each node, and stand where JSON has strings or numbers.
    text = data["cni_network_config"].replace("__CNI_MTU__", '"__CNI_MTU__"')
    try:
        network = json.loads(text)
    except ValueError as error:
        raise SiteError(f"the manifest of Calico has a cni_network_config that is no JSON: {error}; {_HELP}") from error
    versions = {cidr.version for cidr in site.settings.kubernetes.pod_cidrs}
    for plugin in network["plugins"]:
        if plugin["type"] == "calico":
            plugin["ipam"] = {
                "type": "calico-ipam",
                "assign_ipv4": "true" if 4 in versions else "false",
                "assign_ipv6": "true" if 6 in versions else "false",
            }
    data["cni_network_config"] = json.dumps(network, indent=2).replace('"__CNI_MTU__"', "__CNI_MTU__") + "\n"


def _run(site: Site, pod: dict[str, Any]) -> None:
    container = next(entry for entry in pod["containers"] if entry["name"] == "calico-node")
    wanted = environment(site)
    kept = [
        entry
        for entry in container.get("env", ())
        if entry["name"] not in wanted and not entry["name"].startswith(_POOLS)
    ]
    container["env"] = [*kept, *({"name": name, "value": value} for name, value in sorted(wanted.items()))]
    if site.settings.cni.mode == "vxlan":
        for probe in ("livenessProbe", "readinessProbe"):
            command = container.get(probe, {}).get("exec", {}).get("command", [])
            command[:] = [word for word in command if word not in _BIRD]


_POOLS = ("CALICO_IPV4POOL_", "CALICO_IPV6POOL_", "IP6")


def _replicas(site: Site) -> int:
    """One Typha serves some 200 nodes; two outlive a node, three an upgrade as well."""
    nodes = len([machine for machine in site.servers if machine.node])
    return min(nodes, max(3 if nodes > 4 else 2, nodes // 200 + 1))


def _find(objects: Sequence[Manifest], kind: str, name: str) -> Manifest | None:
    return next((item for item in objects if item["kind"] == kind and item["metadata"]["name"] == name), None)
