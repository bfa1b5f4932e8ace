"""The ports of the hosts that the cluster's Services take for themselves, past the hosts' firewalls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from model import bits
from model.base import Address
from model.matrix.matrix import host_rules
from model.report.outcome import Outcome, Status
from model.site.hosts import Machine
from model.site.site import Site
from model.verify.pairs import Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposedPort:
    """
    One port of one Service (`namespace/name`) that is reached from outside the pod network.

    `address` is an external one; None means that it is a port of every node. `nodes` are those with a pod behind it
    that is ready; `local` says that only these answer.
    """

    service: str
    protocol: str
    port: int
    address: Address | None = None
    nodes: frozenset[str] = frozenset()
    local: bool = False

    def answers(self, node: str) -> bool:
        """Return whether somebody should answer at this node."""
        return node in self.nodes if self.local else bool(self.nodes)


def exposed(services: Iterable[Mapping[str, Any]], slices: Iterable[Mapping[str, Any]]) -> tuple[ExposedPort, ...]:
    """Read Services and EndpointSlices as the API lists them."""
    backed: dict[str, set[str]] = {}
    for endpoints in slices:
        labels = endpoints["metadata"].get("labels") or {}
        name = f"{endpoints['metadata']['namespace']}/{labels.get('kubernetes.io/service-name', '')}"
        ready = [
            endpoint
            for endpoint in endpoints.get("endpoints") or ()
            if (endpoint.get("conditions") or {}).get("ready") is not False
        ]
        backed.setdefault(name, set()).update(endpoint.get("nodeName") or "" for endpoint in ready)
    return tuple(port for service in services for port in _ports(service, backed))


def _ports(service: Mapping[str, Any], backed: Mapping[str, set[str]]) -> Iterator[ExposedPort]:
    meta, spec = service["metadata"], service["spec"]
    name = f"{meta['namespace']}/{meta['name']}"
    nodes = frozenset(backed.get(name, ()))
    local = spec.get("externalTrafficPolicy") == "Local"
    given = (service.get("status") or {}).get("loadBalancer", {}).get("ingress") or ()
    outside = [*(spec.get("externalIPs") or ()), *(entry["ip"] for entry in given if entry.get("ip"))]
    for port in spec.get("ports") or ():
        protocol = port.get("protocol", "TCP").lower()
        if port.get("nodePort"):
            yield ExposedPort(
                service=name, protocol=protocol, port=port["nodePort"], address=None, nodes=nodes, local=local
            )
        for text in outside:
            yield ExposedPort(
                service=name, protocol=protocol, port=port["port"], address=ip_address(text), nodes=nodes, local=local
            )


def taken(
    exposed_ports: Iterable[ExposedPort], machine: Machine, address: Address, protocol: str
) -> dict[int, ExposedPort]:
    """Return the ports of one address of a machine that Services take, by port."""
    return {
        port.port: port
        for port in exposed_ports
        if machine.node and port.protocol == protocol and port.address in (None, address)
    }


def dnat_ports(exposed_ports: Iterable[ExposedPort], site: Site, pair: Pair) -> dict[str, int]:
    """
    Return, by protocol, the ports that Services may lead away before the pair's destination sees them; nothing behind
    DNAT.
    """
    machine = site.by_name[pair.destination]
    ports = {
        protocol: bits.from_ports(taken(exposed_ports, machine, pair.address, protocol)) for protocol in ("tcp", "udp")
    }
    return {} if pair.external else {protocol: chosen for protocol, chosen in ports.items() if chosen}


def undeclared(site: Site, exposed_ports: Iterable[ExposedPort]) -> Iterator[Outcome]:
    """Yield a finding for each Service that offers a port outside the pod network which no row of the matrix opens."""
    offered: dict[str, list[str]] = {}
    for port in exposed_ports:
        if not _declared(site, port):
            where = f"at {port.address}" if port.address else "of every node"
            offered.setdefault(port.service, []).append(f"{port.port}/{port.protocol} {where}")
    for service, ports in offered.items():
        namespace, _, name = service.partition("/")
        yield Outcome(
            "controller",
            f"service/{service}",
            Status.DRIFT,
            f"Service {service} offers what no row of the matrix opens: {', '.join(ports)}",
            next=f"declare it in ports.yaml, or `kubectl -n {namespace} edit service {name}`",
            evidence=ports,
        )


def _declared(site: Site, port: ExposedPort) -> bool:
    external = [name for name, plan in site.settings.external.items() if port.address in plan.addresses]
    if external:
        rows = [row for row in site.active_rows if row.target in external and row.protocol == port.protocol]
        return any(low <= port.port <= high for row in rows for low, high in row.intervals)
    return any(
        rule.action == "allow"
        and rule.protocol == port.protocol
        and rule.interval[0] <= port.port <= rule.interval[1]
        and (port.address is None or rule.destination in (None, port.address))
        for machine in site.servers
        if machine.node and (port.address is None or port.address in _addresses(site, machine))
        for rule in host_rules(site, machine)
    )


def _addresses(site: Site, machine: Machine) -> frozenset[Address]:
    return frozenset((*(address for _, address in machine.every), *site.endpoint_addresses(machine)))
