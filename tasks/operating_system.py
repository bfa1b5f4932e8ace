"""What every server's operating system should hold before Kubernetes comes: names, time, settings, packages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import ip_network

from model.host.hoststate import File, HostState, SystemdUnit
from model.host.server import MODULES, NODE_PACKAGES, PACKAGES, kernel_values
from model.kubernetes.service_names import CLUSTER_DOMAIN
from model.site.hosts import Machine
from model.site.site import Site
from tasks.render import render

_UPGRADES_LEFT_ALONE = ("containerd", "runc", "kubelet", "kubeadm", "kubectl", "kubernetes-cni", "cri-tools")
# By this a later look knows that what is on the host is this site's own.
NODE = "/var/lib/matrix-fleet/node.json"
CA_UNIT = "matrix-fleet-trust.service"


def desired(site: Site, machine: Machine, trusted: Mapping[str, str], codename: str) -> HostState:
    """
    Return the state of one server. `trusted`: PEM texts of the organisation's certificate authorities by file name;
    `codename`: its release of Debian.
    """
    state = HostState(
        packages=PACKAGES,
        files=(
            File(NODE, f"{json.dumps({'site': site.name, 'host': machine.name})}\n"),
            File("/etc/hostname", f"{machine.name}\n"),
            File("/etc/hosts", _names(site, machine), block=True),
            File("/etc/apt/apt.conf.d/80matrix-fleet", _apt(site)),
        ),
        sysctl={"kernel.hostname": machine.name},
    )
    return (
        state
        + _resolver(site, machine)
        + _time(site)
        + _trust(trusted)
        + _mirror(site, codename)
        + _node(site, machine)
    )


def _names(site: Site, machine: Machine) -> str:
    """Hosts of an isolated network learn the names they need and no others."""
    endpoint = site.settings.kubernetes.endpoint
    isolated = site.isolated(machine)
    known = [
        other
        for other in site.servers
        if other is machine or other.node == "control_plane" or not (isolated or site.isolated(other))
    ]
    lines = [f"{address} {other.name}\n" for other in known for address in other.own]
    return "".join((*lines, *(f"{address} {endpoint.name}\n" for address in endpoint.addresses)))


def _apt(site: Site) -> str:
    left_alone = "".join(f'    "{name}";\n' for name in _UPGRADES_LEFT_ALONE)
    lines = [
        "// Written by matrix-fleet: what runs containers is upgraded by flows.upgrade, node by node, and never "
        "by itself.",
        f"Unattended-Upgrade::Package-Blacklist {{\n{left_alone}}};",
    ]
    proxy = site.settings.servers.proxy
    lines += [
        f'Acquire::{scheme}::Proxy "{url}";'
        for scheme, url in (("http", proxy and proxy.http), ("https", proxy and proxy.https))
        if url
    ]
    return "\n".join(lines) + "\n"


def _resolver(site: Site, machine: Machine) -> HostState:
    dns = site.settings.dns
    servers = dns.li if site.isolated(machine) else dns.main
    if not servers:
        return HostState()
    # resolv.conf knows three servers and no more.
    lines = [*(f"nameserver {server}\n" for server in servers[:3]), "options timeout:1 attempts:2\n"]
    return HostState(files=(File("/etc/resolv.conf", "".join(lines)),))


def _time(site: Site) -> HostState:
    servers = site.settings.ntp
    if not servers:
        return HostState()
    options = site.settings.servers.time_options
    files = [
        File("/etc/chrony/chrony.conf", render("node/chrony.conf", servers=servers), restart=("chrony.service",)),
        File("/etc/default/chrony", f'DAEMON_OPTS="{" ".join(("-F 1", *options))}"\n', restart=("chrony.service",)),
    ]
    if "-x" in options:
        # Debian's unit wants the right to set the clock, which a daemon that only watches it does not need.
        text = "[Unit]\nConditionCapability=\n"
        path = "/etc/systemd/system/chrony.service.d/matrix-fleet.conf"
        files.append(File(path, text, restart=("chrony.service",)))
    return HostState(files=tuple(files), units=(SystemdUnit("chrony.service"),))


def _trust(trusted: Mapping[str, str]) -> HostState:
    if not trusted:
        return HostState()
    unit = (
        "[Unit]\nDescription=The organisation's certificate "
        "authorities\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\n"
        "ExecStart=/usr/sbin/update-ca-certificates\n\n[Install]\nWantedBy=multi-user.target\n"
    )
    files = (
        File(f"/etc/systemd/system/{CA_UNIT}", unit),
        *(
            File(f"/usr/local/share/ca-certificates/matrix-fleet-{name}.crt", text, restart=(CA_UNIT,))
            for name, text in trusted.items()
        ),
    )
    return HostState(files=files, units=(SystemdUnit(CA_UNIT),))


def _mirror(site: Site, codename: str) -> HostState:
    mirror = site.settings.servers.mirror
    if mirror is None:
        return HostState()
    lines = (
        mirror
        if mirror.startswith("deb ")
        else "\n".join(f"deb {mirror} {suite} main" for suite in (codename, f"{codename}-updates"))
    )
    return HostState(files=(File("/etc/apt/sources.list", f"{lines}\n"),))


def _node(site: Site, machine: Machine) -> HostState:
    if machine.node is None:
        return HostState()
    values = kernel_values(site, machine)
    return HostState(
        packages=NODE_PACKAGES,
        files=(
            File("/etc/modules-load.d/matrix-fleet.conf", "".join(f"{name}\n" for name in MODULES)),
            File("/etc/sysctl.d/95-matrix-fleet.conf", render("node/sysctl.conf", values=values)),
        ),
        modules=MODULES,
        sysctl=values,
        swapless=True,
    )


def exempt(site: Site) -> str:
    """Return what never goes through the proxy, as NO_PROXY has it."""
    settings = site.settings
    declared = settings.servers.proxy.exempt if settings.servers.proxy else ()
    networks = [cidr for plan in settings.networks.values() for cidr in plan.cidrs]
    inside = (*networks, *settings.kubernetes.pod_cidrs, *settings.kubernetes.service_cidrs, ip_network("127.0.0.0/8"))
    names = ("localhost", ".svc", f".{CLUSTER_DOMAIN}", f".{settings.domain}", settings.kubernetes.endpoint.name)
    return ",".join((*names, *(str(network) for network in inside), *declared))
