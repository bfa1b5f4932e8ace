"""Rules of the cluster: this Kubernetes can be, with its version, its endpoint, its CIDRs, its pod network."""

from __future__ import annotations

from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.lint.flaw import LintView, flaw
from model.kubernetes.cluster import NODE_PREFIX
from model.kubernetes.compatibility import kubernetes

# kube-apiserver takes at most 20 bits of services, kube-controller-manager at most 16 bits of nodes.
SERVICE_BITS = 20
NODE_BITS = 16


def kubernetes_version(view: LintView) -> Iterator[Finding]:
    """Find versions that cannot be installed this way, that nobody patches any more, or that are not known here."""
    version = view.site.settings.kubernetes.version
    for problem in kubernetes(version, view.today):
        yield flaw(
            "site.yaml",
            "kubernetes.version",
            value=version,
            message=problem.what,
            fix=problem.fix,
            severity=Severity(problem.severity),
        )


def endpoint(view: LintView) -> Iterator[Finding]:
    """Find API endpoints nobody can hold."""
    site, wanted = view.site, view.site.settings.kubernetes.endpoint
    path = "kubernetes.endpoint"
    if wanted.provider != "keepalived":
        return
    if not wanted.addresses:
        message = "keepalived has no address to hold on the control planes"
        yield flaw(
            "site.yaml",
            f"{path}.addresses",
            value="",
            message=message,
            fix="a free address of the control planes' network",
        )
    planes = site.control_planes
    cidrs = [cidr for machine in planes for cidr in site.settings.networks[machine.network].cidrs]
    holders = {address: machine.name for machine in site.machines for _, address in machine.every}
    gateways = {address for plan in site.settings.networks.values() for address in plan.gateway}
    for address in wanted.addresses:
        if not any(address in cidr for cidr in cidrs):
            message, fix = "lies outside the control planes' network", "a free address of that network"
            yield flaw("site.yaml", f"{path}.addresses", value=address, message=message, fix=fix)
        taken = f"host {holders[address]}" if address in holders else "a gateway" if address in gateways else ""
        if taken:
            yield flaw(
                "site.yaml",
                f"{path}.addresses",
                value=address,
                message=f"is already {taken}",
                fix="an address of its own",
            )


def endpoint_port(view: LintView) -> Iterator[Finding]:
    """Find an endpoint port that the API server itself holds, or that no row opens at the control planes."""
    site, wanted = view.site, view.site.settings.kubernetes.endpoint
    path = "kubernetes.endpoint.port"
    if wanted.provider != "keepalived":
        return
    if wanted.port == 6443:
        message = "the API servers hold 6443 on the same hosts"
        yield flaw("site.yaml", path, value=wanted.port, message=message, fix="8443, or another free port")
        return
    planes = {machine.name for machine in site.control_planes}
    for row in site.active_rows:
        landing = {machine.name for end in row.destination_ends for machine in site.machines_at(end)}
        covers = any(low <= wanted.port <= high for low, high in row.intervals)
        if row.plane == "host" and row.protocol == "tcp" and covers and planes & landing:
            return
    yield flaw(
        "site.yaml",
        path,
        value=wanted.port,
        message="no active row opens it at the control planes",
        fix="the port the row has",
    )


def endpoint_name(view: LintView) -> Iterator[Finding]:
    """Find an endpoint name that users' services have too."""
    settings = view.site.settings
    name = settings.kubernetes.endpoint.name
    if name == settings.domain or name in {f"{word}.{settings.domain}" for word in ("matrix", "chat", "turn", "rtc")}:
        fix = f"api.{settings.domain}"
        yield flaw(
            "site.yaml", "kubernetes.endpoint.name", value=name, message="is a public name of the service", fix=fix
        )


def cidr_families(view: LintView) -> Iterator[Finding]:
    """Find pod and service CIDRs of different families, twice one family, or of one that nodes lack."""
    wanted = view.site.settings.kubernetes
    pods, services = ([cidr.version for cidr in cidrs] for cidrs in (wanted.pod_cidrs, wanted.service_cidrs))
    for word, versions in (("pod_cidrs", pods), ("service_cidrs", services)):
        if not versions or len(set(versions)) < len(versions):
            yield flaw(
                "site.yaml",
                f"kubernetes.{word}",
                value=versions,
                message="needs one CIDR a family",
                fix="one IPv4, one IPv6",
            )
    if pods and services and set(pods) != set(services):
        message = "pods and services have different IP families"
        yield flaw(
            "site.yaml",
            "kubernetes.service_cidrs",
            value=services,
            message=message,
            fix=f"families {sorted(set(pods))}",
        )
    for machine in view.site.servers:
        for version in sorted(set(pods) - {address.version for address in machine.own}) if machine.node else ():
            message = f"has no IPv{version} address, but pods have: its kubelet cannot join"
            path = f"{machine.name}.data.addresses.{machine.network}"
            fix = f"add one, or drop the IPv{version} pod and service CIDRs"
            yield flaw("hosts.yaml", path, value=f"IPv{version}", message=message, fix=fix, host=machine.name)


def cidr_size(view: LintView) -> Iterator[Finding]:
    """Find CIDRs that Kubernetes refuses, or that run out of nodes."""
    wanted = view.site.settings.kubernetes
    nodes = sum(machine.node is not None for machine in view.site.servers)
    for cidr in wanted.service_cidrs:
        if cidr.max_prefixlen - cidr.prefixlen > SERVICE_BITS:
            fix = f"/{cidr.max_prefixlen - SERVICE_BITS} or smaller"
            yield flaw(
                "site.yaml",
                "kubernetes.service_cidrs",
                value=cidr,
                message="is larger than the API server takes",
                fix=fix,
            )
    for cidr in wanted.pod_cidrs:
        bits = NODE_PREFIX[cidr.version] - cidr.prefixlen
        if bits > NODE_BITS:
            fix = f"/{NODE_PREFIX[cidr.version] - NODE_BITS} or smaller"
            yield flaw(
                "site.yaml",
                "kubernetes.pod_cidrs",
                value=cidr,
                message="is larger than the controller manager takes",
                fix=fix,
            )
        elif bits < 0 or 2**bits < nodes:
            message = (
                f"holds {2**bits if bits >= 0 else 0} nodes of a /{NODE_PREFIX[cidr.version]} each; there are {nodes}"
            )
            yield flaw("site.yaml", "kubernetes.pod_cidrs", value=cidr, message=message, fix="a larger range")


def cni_mode(view: LintView) -> Iterator[Finding]:
    """Find combinations of CNI, mode and encryption that do not exist or that no row opens."""
    cni = view.site.settings.cni
    if cni.typha and cni.name != "calico":
        yield flaw(
            "site.yaml",
            "cni.typha",
            value="true",
            message=f"Typha belongs to Calico, not {cni.name}",
            fix="`typha: false`",
        )
    if cni.mode == "bgp" and cni.name != "calico":
        yield flaw(
            "site.yaml",
            "cni.mode",
            value=cni.mode,
            message=f"{cni.name} is run here as an overlay only",
            fix="vxlan, or calico",
        )
    opened = {word for row in view.site.active_rows for word in row.when.cni}
    needed = {f"{cni.name}-{cni.mode}": "cni.mode"}
    needed |= {f"{cni.name}-wireguard": "cni.wireguard"} if cni.wireguard else {}
    needed |= {f"{cni.name}-typha": "cni.typha"} if cni.typha and cni.name == "calico" else {}
    for word, path in needed.items():
        if word not in opened:
            fix = f"another mode, or a row with `when: {{cni: [{word}]}}`"
            yield flaw(
                "site.yaml", path, value=word, message="no row of the matrix opens its port between nodes", fix=fix
            )


def address_service(view: LintView) -> Iterator[Finding]:
    """Find addresses of services that are of no use as such: loopback, multicast, unspecified."""
    settings = view.site.settings
    named = {
        "dns.main": settings.dns.main,
        "dns.li": settings.dns.li,
        "ntp": settings.ntp,
        "li.ingress": settings.li.ingress,
        "kubernetes.endpoint.addresses": settings.kubernetes.endpoint.addresses,
        **{f"external.{name}.addresses": external.addresses for name, external in settings.external.items()},
    }
    for path, addresses in named.items():
        for address in addresses:
            if address.is_loopback or address.is_multicast or address.is_unspecified or address.is_link_local:
                yield flaw(
                    "site.yaml",
                    path,
                    value=address,
                    message="no other host can reach that address",
                    fix="a routable one",
                )
    for machine in view.site.machines:
        for network, address in machine.every:
            if address.is_loopback or address.is_multicast or address.is_unspecified or address.is_link_local:
                path = f"{machine.name}.data.addresses.{network}"
                message = "no other host can reach that address"
                yield flaw("hosts.yaml", path, value=address, message=message, fix="a routable one", host=machine.name)


CHECKS = (
    Check(
        id="kubernetes-version",
        why="What kubeadm cannot install, or nobody patches.",
        judge=kubernetes_version,
    ),
    Check(
        id="endpoint-address",
        why="The API's address is held by one control plane at a time.",
        judge=endpoint,
    ),
    Check(
        id="endpoint-port",
        why="HAProxy and the API server share the hosts, not the port.",
        judge=endpoint_port,
    ),
    Check(
        id="endpoint-name",
        why="The API's name must lead to the control planes only.",
        judge=endpoint_name,
    ),
    Check(
        id="cidr-families",
        why="Nodes, pods and services speak the same IP families.",
        judge=cidr_families,
    ),
    Check(
        id="cidr-size",
        why="Kubernetes has limits on both sides of its ranges.",
        judge=cidr_size,
    ),
    Check(
        id="cni-mode",
        why="The pod network's port must be the one that is open.",
        judge=cni_mode,
    ),
    Check(
        id="address-useless",
        why="Loopback, multicast and link-local lead nowhere.",
        judge=address_service,
    ),
)
