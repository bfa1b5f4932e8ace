"""The ports of a host that speak TLS once somebody listens there, and under which names."""

from __future__ import annotations

from model.site.hosts import Machine
from model.site.names import records
from model.site.site import Site

# Of Kubernetes: API server, kubelet, scheduler, controller manager, etcd.
_CLUSTER = (6443, 10250, 10259, 10257, 2379, 2380)
_WEB = (443, 8448)
_TURN = 5349


def tls_services(site: Site, machine: Machine) -> dict[int, tuple[str, ...]]:
    """Return the names that a certificate must hold by port; none where the client does not go by a name."""
    services: dict[int, tuple[str, ...]] = {}
    if machine.node:
        services |= dict.fromkeys(_CLUSTER, ())
    if machine.node == "control_plane":
        endpoint = site.settings.kubernetes.endpoint
        services |= {6443: (endpoint.name,), endpoint.port: (endpoint.name,)}
    web = tuple(sorted(_web_names(site, machine)))
    if web:
        services |= dict.fromkeys(_WEB, web)
    turn = site.settings.external.get("turn")
    if turn and machine.name in turn.targets:
        services[_TURN] = (f"turn.{site.settings.domain}",)
    return services


def _web_names(site: Site, machine: Machine) -> set[str]:
    addresses = set(machine.own)
    ingress = site.settings.external.get("ingress")
    if ingress and machine.name in ingress.targets:
        addresses |= set(ingress.addresses)
    view = "li" if site.isolated(machine) else "main"
    endpoint = site.settings.kubernetes.endpoint.name
    return {
        record.name
        for record in records(site)
        if record.view == view and record.fixed and record.name != endpoint and record.addresses & addresses
    }
