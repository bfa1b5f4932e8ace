"""What a control plane holds so that the Kubernetes API has one address that outlives any of them."""

from __future__ import annotations

from pydantic import SecretStr

from model.base import in_url
from model.host.hoststate import File, HostState, SystemdUnit
from model.site.hosts import Machine
from model.site.site import Site
from tasks.render import render

PASSWORD = "keepalived"  # noqa: S105 - the name of a file
_HIGHEST = 150


def wanted(site: Site) -> bool:
    """Return whether the control planes hold the endpoint themselves."""
    return site.settings.kubernetes.endpoint.provider == "keepalived"


def desired(site: Site, machine: Machine, interface: str, password: SecretStr) -> HostState:
    """Return HAProxy and keepalived on one control plane. `interface` carries its own address."""
    planes = site.control_planes
    endpoint = site.settings.kubernetes.endpoint
    servers = [(other.name, in_url(str(other.speaks(4) or other.speaks(6)))) for other in planes]
    own = machine.speaks(4) or machine.speaks(6)
    keepalived = render(
        "node/keepalived.conf",
        name=machine.name,
        interface=interface,
        router=router_id(site),
        priority=_HIGHEST - planes.index(machine),
        own=own,
        peers=[other.speaks(4) or other.speaks(6) for other in planes if other is not machine],
        password=password.get_secret_value(),
        addresses=endpoint.addresses,
    )
    haproxy = render("node/haproxy.cfg", port=endpoint.port, servers=servers)
    return HostState(
        packages=("haproxy", "keepalived"),
        files=(
            File("/etc/haproxy/haproxy.cfg", haproxy, reload=("haproxy.service",)),
            File(
                "/etc/keepalived/keepalived.conf", keepalived, mode=0o600, secret=True, reload=("keepalived.service",)
            ),
        ),
        units=(SystemdUnit("haproxy.service"), SystemdUnit("keepalived.service")),
    )


def router_id(site: Site) -> int:
    """Return the VRRP router's number (1 to 255): the last byte of the endpoint's address."""
    return int(site.settings.kubernetes.endpoint.addresses[0]) % 255 + 1
