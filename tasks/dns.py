"""Let the cluster's DNS ask the site's servers, give isolated nodes' pods their own answers, and outlive a node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import yaml

from model.kubernetes.cluster import Node
from model.kubernetes.manifests import Manifest
from model.site.names import records
from model.site.site import Site
from remote.facts.cluster import observe_nodes
from tasks import objects
from tasks.render import render

if TYPE_CHECKING:
    from remote.kube import Cluster

# The node's own: CoreDNS runs with the resolver of the node it is on.
_RESOLVER = ("/etc/resolv.conf",)


def enforce(cluster: Cluster, site: Site, *, dry_run: bool) -> tuple[str, ...]:
    """
    Bring kubeadm's CoreDNS to what the site needs of it; return what changed, or would.

    kubeadm writes its Deployment anew when it upgrades a cluster: then this is to be done again.
    """
    return objects.enforce(cluster, manifests(site, observe_nodes(cluster)), dry_run=dry_run)


def manifests(site: Site, nodes: Iterable[Node]) -> Sequence[Manifest]:
    """Return what CoreDNS's objects should hold, beside what kubeadm puts there."""
    return tuple(yaml.safe_load_all(render("manifests/coredns/coredns.yaml", corefile=corefile(site, nodes))))


def corefile(site: Site, nodes: Iterable[Node]) -> str:
    """
    Return CoreDNS's configuration. Pods are told apart by the addresses that their nodes give them.

    An isolated network's own DNS servers are not asked: nothing outside that network may reach them.
    """
    names = sorted(
        (str(address), record.name) for record in records(site) if record.view == "li" for address in record.addresses
    )
    return render(
        "manifests/coredns/Corefile",
        names=names,
        networks=_isolated(site, nodes),
        upstreams=[str(server) for server in site.settings.dns.main] or _RESOLVER,
    )


def _isolated(site: Site, nodes: Iterable[Node]) -> list[str]:
    """Networks of pods on isolated nodes, and those nodes' own addresses, which pods in the host's network have."""
    networks: list[str] = []
    for node in sorted(nodes, key=lambda node: node.name):
        machine = site.by_name.get(node.name)
        if machine is not None and site.isolated(machine):
            networks += map(str, node.pod_cidrs)
            networks += [f"{address}/{address.max_prefixlen}" for address in machine.own]
    return networks
