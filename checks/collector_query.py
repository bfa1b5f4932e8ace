"""The questions to each host, so that every check finds what it needs."""

from __future__ import annotations

from typing import Any

from model.check.preflight.questions import name_servers
from model.host.server import MODULES, kernel_values
from model.host.units import units
from model.kubernetes.service_names import API_NAME
from model.site.hosts import Machine
from model.site.names import records
from model.site.site import Site
from model.site.tls_services import tls_services
from model.ufw.unconfirmed import TIMER


def collector_query(site: Site, machine: Machine) -> dict[str, Any]:
    """Return the query for the collector on one host: the same for the same site."""
    names = sorted({record.name for record in records(site)})
    asked: list[Any] = [str(server) for server in name_servers(site, machine)] if machine.kind == "server" else []
    return {
        "sysctl": sorted(kernel_values(site, machine)) if machine.node else [],
        "modules": list(MODULES) if machine.node else [],
        "units": [*(unit.name for unit in units(site, machine)), *((TIMER,) if machine.kind == "server" else ())],
        "dns": [{"server": server, "names": names} for server in asked or [None]] if names else [],
        "cluster_dns": [{"server": str(site.settings.kubernetes.dns_address), "names": [API_NAME]}]
        if machine.node
        else [],
        "tls": [{"port": port, "names": list(served)} for port, served in sorted(tls_services(site, machine).items())],
    }
