"""The other ends of a pod's flows, as a NetworkPolicy names them: pods by labels, everything else by addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from model.base import Address, Network
from model.kubernetes.cluster import NODE_PREFIX
from model.matrix.matrix import BROAD
from model.matrix.pod_words import PodSet
from model.site.site import Site

Peer = Mapping[str, Any]
NAMESPACE_LABEL = "kubernetes.io/metadata.name"


def pod_peer(pods: PodSet) -> Peer:
    """Return a peer that stands for pods of any namespace."""
    return {
        "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: pods.namespace}},
        "podSelector": {"matchLabels": dict(pods.labels)},
    }


def host_peers(site: Site, end: str, *, overlay: bool) -> Iterator[Peer]:
    """
    Yield the addresses of an end's machines; none for an end that is networks.

    `overlay`: as pods see them, which is under the address that a node has in the pod network.
    """
    machines = site.machines_at(end)
    yield from (_alone(address) for machine in machines for address in machine.own)
    if overlay and any(machine.node for machine in machines):
        yield from (_alone(address) for address in overlay_addresses(site))


def network_peers(site: Site, end: str) -> Iterator[Peer]:
    """Yield the networks of an end; broad ones never mean pods, Services or an isolated network."""
    if end == "pods":
        return
    settings = site.settings
    inner = (*settings.kubernetes.pod_cidrs, *settings.kubernetes.service_cidrs)
    for network in site.networks_at(end):
        yield _block(network, (*inner, *site.isolated_networks) if end in BROAD else inner)


@lru_cache(maxsize=4)
def overlay_addresses(site: Site) -> tuple[Address, ...]:
    """
    Return the addresses that Flannel may give nodes themselves: the first of each node's share, which no pod ever has.

    Which share a node gets only the cluster knows, and it changes when a node is replaced.
    """
    if site.settings.cni.name != "flannel":
        return ()
    return tuple(
        share.network_address
        for cidr in site.settings.kubernetes.pod_cidrs
        for share in cidr.subnets(new_prefix=max(cidr.prefixlen, NODE_PREFIX[cidr.version]))
    )


def _alone(address: Address) -> Peer:
    return {"ipBlock": {"cidr": _cidr(address)}}


# Every rule that hosts may use names the same addresses again.
@lru_cache(maxsize=4096)
def _cidr(address: Address) -> str:
    return f"{address}/{address.max_prefixlen}"


def _block(network: Network, without: Iterable[Network] = ()) -> Peer:
    inside = sorted({str(part) for part in without if part.version == network.version and _within(part, network)})
    return {"ipBlock": {"cidr": str(network), **({"except": inside} if inside else {})}}


def _within(part: Network, network: Network) -> bool:
    return part != network and part.subnet_of(network)  # type: ignore[arg-type]
