"""
Give pods a network: what runs in the cluster, what each node declares of itself, and what its containers are hung on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from model.base import Network
from model.bundle.bundle import Bundle
from model.errors import SiteError
from model.host.hoststate import File, HostState
from model.kubernetes.cluster import Node
from model.kubernetes.manifests import Manifest
from model.kubernetes.nodepatch import NodePatch, patch
from model.site.hosts import Machine
from model.site.installation import IMAGES
from model.site.site import Site
from remote.facts.cluster import observe_nodes
from tasks import policies
from tasks.calico import patched
from tasks.images import of_manifests, reference
from tasks.objects import enforce as enforce_objects
from tasks.objects import enforce_nodes
from tasks.render import render

if TYPE_CHECKING:
    from remote.kube import Cluster

CONFLIST = "/etc/cni/net.d/10-matrix-fleet.conflist"
CHOSEN = "matrix-fleet.io/pod-network"
PUBLIC = {4: "flannel.alpha.coreos.com/node-public-ip", 6: "flannel.alpha.coreos.com/node-public-ipv6"}
# What the kernel itself uses: the matrix row of Flannel's overlay has the same.
_VXLAN_PORT = 8472
# Outer Ethernet, IP, UDP and VXLAN headers.
_OVERHEAD = {4: 50, 6: 70}
LINK_MTU = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSource:
    """
    Where the pod network comes from: `image` is Flannel's, `upstream` the text of another one's publisher; `enforcer`
    is the image of what holds pods to policies beside it, empty where it does so itself.
    """

    image: str = IMAGES["flannel"]
    upstream: str = ""
    enforcer: str = ""


# Flannel as its publisher has it, and nothing beside it.
PLAIN = NetworkSource()


def source(site: Site, bundle: Bundle | None, folder: Path | None) -> NetworkSource:
    """
    Return where the site's pod network comes from.

    Raises `SiteError` for a network that cannot be set up, before anything is.
    """
    name = site.settings.cni.name
    enforcer = reference(site, bundle, "kube-router") if site.settings.cni.policies == "kube-router" else ""
    if name == "flannel":
        return NetworkSource(image=reference(site, bundle, "flannel"), enforcer=enforcer)
    if name == "cilium":
        raise SiteError("site.yaml: cni.name is cilium, which is not set up by this version; choose calico or flannel")
    found = NetworkSource(image="", upstream=_publishers(site, bundle, folder), enforcer=enforcer)
    manifests(site, found)
    return found


def references(site: Site, bundle: Bundle | None, folder: Path | None) -> tuple[str, ...]:
    """Return the images that the pod network runs on every node."""
    return of_manifests(manifests(site, source(site, bundle, folder)))


def _publishers(site: Site, bundle: Bundle | None, folder: Path | None) -> str:
    """Return the text of the pod network's own manifest: the site's file, or the bundle's."""
    name, own_file = site.settings.cni.name, site.settings.cni.manifest
    bundled = next((item for item in bundle.manifests if item.name == name), None) if bundle else None
    if own_file is not None:
        path = site.folder / own_file
    elif bundled is not None and folder is not None:
        path = folder / bundled.file
    else:
        raise SiteError(
            f"site.yaml: cni.name is {name}, and there is no manifest of it; a bundle brings it "
            "(`python -m flows.bundle download`), or name its publisher's as `cni.manifest`"
        )
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SiteError(f"the manifest of {name} cannot be read: {error}") from error


def enforce(cluster: Cluster, site: Site, given: NetworkSource = PLAIN, *, dry_run: bool) -> tuple[str, ...]:
    """
    Bring the cluster's part of the pod network to what the site says, before any node is ready; return what changed, or
    would.

    `conflist` is each node's own part, once the cluster has given it addresses.
    """
    objects = enforce_objects(cluster, manifests(site, given), dry_run=dry_run)
    if site.settings.cni.name != "flannel":
        return objects
    return (*objects, *enforce_nodes(cluster, lambda asked: patches(site, observe_nodes(asked)), dry_run=dry_run))


def manifests(site: Site, given: NetworkSource = PLAIN) -> tuple[Manifest, ...]:
    """
    Return the pod network's objects: our own for Flannel, for Calico its publisher's with the site's settings; and what
    holds pods to policies.

    Raises `SiteError` where the publisher's manifest does not fit the site.
    """
    return (*_network(site, given), *policies.manifests(site, given.enforcer))


def _network(site: Site, given: NetworkSource) -> tuple[Manifest, ...]:
    if site.settings.cni.name == "calico":
        try:
            return patched(site, yaml.load_all(given.upstream, Loader=yaml.CSafeLoader))
        except yaml.YAMLError as error:
            raise SiteError(f"the manifest of Calico cannot be read: {error}") from error
    network = json.dumps(network_config(site), indent=2) + "\n"
    text = render(
        "manifests/flannel/flannel.yaml",
        network=network,
        digest=hashlib.sha256(network.encode()).hexdigest()[:16],
        chosen=CHOSEN,
        image=given.image,
        endpoint=site.settings.kubernetes.endpoint,
    )
    return tuple(yaml.load_all(text, Loader=yaml.CSafeLoader))


def network_config(site: Site) -> dict[str, Any]:
    """Return Flannel's own configuration."""
    kubernetes = site.settings.kubernetes
    by_version = {cidr.version: str(cidr) for cidr in kubernetes.pod_cidrs}
    config: dict[str, Any] = {"EnableIPv4": 4 in by_version, "EnableIPv6": 6 in by_version}
    config |= {
        key: by_version[version] for key, version in (("Network", 4), ("IPv6Network", 6)) if version in by_version
    }
    config["EnableNFTables"] = kubernetes.proxy_mode == "nftables"
    config["Backend"] = {"Type": "vxlan", "VNI": 1, "Port": _VXLAN_PORT}
    return config


def patches(site: Site, nodes: Iterable[Node]) -> tuple[NodePatch, ...]:
    """
    Return what makes every node of the site declare by which of its addresses the overlay reaches it.

    A host may have legs in several networks; the one of its roles is what the matrix opens the overlay for.
    """
    changes = []
    for node in nodes:
        machine = site.by_name.get(node.name)
        if machine is None:
            continue
        speaks = {version: machine.speaks(version) for version in (4, 6)}
        wanted = {PUBLIC[version]: None if own is None else str(own) for version, own in speaks.items()}
        changes.append(patch(node, labels={CHOSEN: "true"}, annotations=wanted))
    return tuple(change for change in changes if change is not None)


def conflist(site: Site, machine: Machine, pod_cidrs: Sequence[Network], link_mtu: int = LINK_MTU) -> HostState:
    """
    Return the file that containers of one node are hung on the network by: a bridge on the addresses the cluster gave
    the node.

    `link_mtu` is that of the interface which carries the overlay. Calico writes such a file by itself.
    """
    if site.settings.cni.name != "flannel":
        return HostState()
    overhead = max(_OVERHEAD[cidr.version] for cidr in pod_cidrs)
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "mtu": link_mtu - overhead,
        "isDefaultGateway": True,
        "forceAddress": True,
        "hairpinMode": True,
        # Flannel does that for what leaves the pod network, and for nothing else.
        "ipMasq": False,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": str(cidr)}] for cidr in pod_cidrs]},
    }
    config = {
        "cniVersion": "1.0.0",
        "name": site.name,
        "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }
    assert machine.node is not None  # noqa: S101 - nothing else has pods
    return HostState(files=(File(CONFLIST, json.dumps(config, indent=2) + "\n", mode=0o600),))
