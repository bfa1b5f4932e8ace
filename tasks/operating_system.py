"""What should every server's operating system hold before Kubernetes comes: names, time, kernel settings, packages?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network

from model.hosts import Machine
from model.hoststate import File, HostState, Unit
from model.matrix import host_rules
from model.site import Site
from tasks.render import render

# Where the kernel takes local ports from unless it is told otherwise.
_EPHEMERAL = (32768, 60999)
PACKAGES = ("ufw", "python3", "sudo", "iptables", "nftables", "kmod", "chrony", "ca-certificates")
NODE_PACKAGES = ("conntrack", "socat", "ethtool", "ebtables")
MODULES = ("overlay", "br_netfilter", "nf_conntrack")
_UPGRADES_LEFT_ALONE = ("containerd", "runc", "kubelet", "kubeadm", "kubectl", "kubernetes-cni", "cri-tools")
# By this a later look knows that what is on the host is this site's own.
NODE = "/var/lib/matrix-fleet/node.json"
CA_UNIT = "matrix-fleet-trust.service"


def desired(site: Site, machine: Machine, trusted: Mapping[str, str], codename: str) -> HostState:
    """
    Return the state of one server. `trusted`: PEM texts of the organisation's certificate authorities by file name; `codename`: its
    release of Debian.
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
        "// Written by matrix-fleet: what runs containers is upgraded by flows.upgrade, node by node, and never by itself.",
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
    return HostState(files=tuple(files), units=(Unit("chrony.service"),))


def _trust(trusted: Mapping[str, str]) -> HostState:
    if not trusted:
        return HostState()
    unit = (
        "[Unit]\nDescription=The organisation's certificate authorities\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\n"
        "ExecStart=/usr/sbin/update-ca-certificates\n\n[Install]\nWantedBy=multi-user.target\n"
    )
    files = (
        File(f"/etc/systemd/system/{CA_UNIT}", unit),
        *(
            File(f"/usr/local/share/ca-certificates/matrix-fleet-{name}.crt", text, restart=(CA_UNIT,))
            for name, text in trusted.items()
        ),
    )
    return HostState(files=files, units=(Unit(CA_UNIT),))


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


def kernel_values(site: Site, machine: Machine) -> dict[str, str]:
    """Return the kernel settings of a node, by dotted name."""
    values = {
        "net.ipv4.ip_forward": "1",
        "net.ipv6.conf.all.forwarding": "1",
        "net.bridge.bridge-nf-call-iptables": "1",
        "net.bridge.bridge-nf-call-ip6tables": "1",
        "net.netfilter.nf_conntrack_max": "262144",
        "fs.inotify.max_user_instances": "8192",
        "fs.inotify.max_user_watches": "524288",
        # What kubelet refuses to run without.
        "vm.overcommit_memory": "1",
        "vm.panic_on_oom": "0",
        "kernel.panic": "10",
        "kernel.panic_on_oops": "1",
    }
    reserved = ",".join(_reserved(site, machine))
    return {**values, "net.ipv4.ip_local_reserved_ports": reserved} if reserved else values


def _reserved(site: Site, machine: Machine) -> Iterator[str]:
    """Ports that a service of this host listens on must not be handed out as a local port before it starts."""
    low, high = _EPHEMERAL
    intervals = {rule.interval for rule in host_rules(site, machine) if rule.action == "allow"}
    wanted = [(max(first, low), min(last, high)) for first, last in intervals if first <= high and last >= low]
    said = [_interval(text) for text in site.settings.servers.reserved_ports]
    for first, last in _joined((*wanted, *said)):
        yield str(first) if first == last else f"{first}-{last}"


def _interval(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def _joined(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the intervals in the kernel's own spelling: sorted, without overlaps."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(intervals):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def exempt(site: Site) -> str:
    """Return what never goes through the proxy, as NO_PROXY has it."""
    settings = site.settings
    said = settings.servers.proxy.exempt if settings.servers.proxy else ()
    networks = [cidr for plan in settings.networks.values() for cidr in plan.cidrs]
    inside = (*networks, *settings.kubernetes.pod_cidrs, *settings.kubernetes.service_cidrs, ip_network("127.0.0.0/8"))
    names = ("localhost", ".svc", ".cluster.local", f".{settings.domain}", settings.kubernetes.endpoint.name)
    return ",".join((*names, *(str(network) for network in inside), *said))
