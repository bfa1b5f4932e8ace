"""One thing wrong with one host, each: what must be found there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

from model.host.dns_wire import DnsAnswer
from model.host.machine_facts import Clock, Connect, Filesystem, Unit
from model.host.machine_facts import Path as Way
from model.host.shared_facts import BlockDevice, Link, Package, Swap
from model.ufw.foreign_rules import Rulesets
from tests.model.check.preflight.preflight_data import DISK
from tests.model.packets.listening import listener

GIB = 2**20
LINK = Link(name="eth0", mac="02:00:00:00:99:99", mtu=1500, speed=1000, up=True, virtual=False)
LEGACY = "*filter\n:INPUT ACCEPT [0:0]\n{}COMMIT\n"
SERVERS = ("10.20.1.1", "fd20:1::1")


@dataclass(frozen=True)
class Case:
    """One thing wrong with one host (`on`), by its facts (`facts`), the site (`set`) or the bundle."""

    id: str
    facts: dict[str, Any] = field(default_factory=dict)
    on: str = "w-1"
    says: str = ""
    severity: str = "error"
    set: dict[str, Any] = field(default_factory=dict)
    bundle: dict[str, Any] | None = None
    remedy: str = ""


def links(**changes: Any) -> tuple[Link, ...]:
    """Return w-1's one interface, changed."""
    addresses = (ip_address("10.20.1.21"), ip_address("fd20:1::21"))
    return (replace(LINK, **{"addresses": addresses, **changes}),)


def rules(saved: str = "", nft: str = "", legacy: str = "") -> Rulesets:
    """Return a host's rules of IPv4."""
    return Rulesets({4: saved, 6: ""}, {4: legacy, 6: ""}, nft)


def told(*answers: DnsAnswer) -> dict[str, tuple[DnsAnswer, ...]]:
    """Return the same answers of both name servers."""
    return dict.fromkeys(SERVERS, answers)


def table(name: str) -> str:
    """Return what nft shows of a table."""
    return f'{{"nftables": [{{"table": {{"family": "inet", "name": "{name}", "handle": 1}}}}]}}'


def refusing(name: str) -> str:
    """Return what nft shows of a table that drops packets to the host."""
    chain = {
        "family": "ip",
        "table": name,
        "name": "in",
        "type": "filter",
        "hook": "input",
        "prio": 0,
        "policy": "accept",
    }
    rule = {"family": "ip", "table": name, "chain": "in", "handle": 2, "expr": [{"drop": None}]}
    return json.dumps({"nftables": [{"table": {"family": "ip", "name": name}}, {"chain": chain}, {"rule": rule}]})


def mounts(filesystem: Filesystem) -> dict[str, Filesystem]:
    """Return the same file system under every path that matters."""
    return dict.fromkeys(("/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd"), filesystem)


APT = {"site:kubernetes.packages": "apt", "site:egress": "open"}
INSIDE = {
    "site:kubernetes.packages": "apt",
    "site:kubernetes.repositories": [
        {"name": "kubernetes", "uri": "http://packages.example.test:8080/k8s/", "key": "a"}
    ],
    "site:kubernetes.registries": [{"registry": "registry.k8s.io", "mirrors": ["https://10.20.1.1/v2/k8s"]}],
}
ENDPOINT = ("10.20.1.10", 8443)

CASES = (
    Case(
        "os-unsupported", {"system.release.words": {"ID": "ubuntu", "PRETTY_NAME": "Ubuntu 24.04"}}, says="Ubuntu 24.04"
    ),
    Case(
        "os-unsupported",
        {"system.release.words": {"ID": "debian", "VERSION_CODENAME": "buster"}},
        says="Debian 11 (bullseye)",
    ),
    Case(
        "os-end-of-life",
        {"system.release.words": {"ID": "debian", "VERSION_CODENAME": "bullseye"}},
        severity="warning",
        says="2026-08-31",
    ),
    Case("bundle-mismatch", {"system.architecture": "arm64"}, bundle={}, says="is for amd64"),
    Case("bundle-mismatch", {"system.architecture": "i386"}, says="i386"),
    Case("bundle-mismatch", bundle={"suites": ["trixie"]}, says="runs bookworm"),
    Case("kernel-too-old", {"system.kernel": "5.10.0-30-amd64"}, says="kube-proxy in nftables mode needs Linux 5.13"),
    Case(
        "kernel-too-old",
        {"system.kernel": "5.4.1"},
        says="WireGuard",
        set={"site:cni": {"name": "calico", "wireguard": True}},
    ),
    Case(
        "containerd-unfit",
        set={**APT, "site:kubernetes.containerd": {"package": "containerd"}},
        severity="warning",
        says="Debian 12 brings containerd 1.6, and the site wants 2",
    ),
    Case(
        "kernel-features",
        {"system.config": {}, "system.modules": frozenset({"overlay"})},
        says="no br_netfilter, nf_conntrack, nf_tables, vxlan",
    ),
    Case(
        "kernel-features",
        {
            "system.config": {"VXLAN": "m"},
            "system.modules": frozenset({"overlay", "br_netfilter", "nf_conntrack", "nf_tables"}),
        },
        says="no vxlan,",
    ),
    Case("cgroup-v1", {"system.cgroup": "hybrid"}, says="hybrid"),
    Case("cgroup-controllers", {"system.controllers": frozenset({"cpu", "cpuset", "pids"})}, says="no memory"),
    Case("apparmor-off", {"system.apparmor": False}, severity="warning"),
    Case("reboot-required", {"system.reboot_required": True}, severity="warning"),
    Case(
        "cloud-init-hosts",
        {"system.cloud_init": {"state": "enabled", "manage_etc_hosts": "localhost"}},
        severity="warning",
        says="localhost",
    ),
    Case(
        "tools-missing",
        {"system.programs": frozenset({"ping"}), "network.links": (), "network.default_routes": frozenset()},
        says="no ip and no ss",
    ),
    Case(
        "tools-missing",
        {"software.units_unseen": "`systemctl show` ended with 1"},
        says="which services run there cannot be seen",
        remedy="boot it with Debian's systemd",
    ),
    Case("address-missing", {"network.links": ()}, says="10.20.1.21"),
    Case("path-mtu", {"asked.paths": {}}, says="could not be seen: the host said nothing of its way to"),
    Case(
        "outbound-closed",
        {"asked.connects": {}},
        set=INSIDE,
        says="could not be seen: the host did not say whether it gets to packages.example.test:8080",
    ),
    Case(
        "endpoint-taken", {"asked.connects": {}}, on="cp-1", says="could not be seen: the host did not say what answers"
    ),
    Case("cpu-too-few", {"hardware.capacity.cpus": 1}, on="cp-1", says="has 1 CPU; its roles (control_plane) need 2"),
    Case("cpu-too-few", {"hardware.capacity.cpus": 1}, on="st-1", says="(storage, worker) need 2"),
    Case("memory-too-small", {"hardware.capacity.memory": GIB}, on="cp-1", says="need 1.7"),
    Case("memory-too-small", {"hardware.capacity.memory": GIB // 2}, says="has 0.5 GiB"),
    Case(
        "swap", {"hardware.swaps.active": (Swap("/dev/sda2", GIB, 0),)}, severity="warning", says="/dev/sda2 (1.0 GiB)"
    ),
    Case("swap", {"hardware.swaps.active": (Swap("/dev/zram0", GIB, 0),)}, severity="warning", says="zram"),
    Case("swap", {"hardware.swaps.configured": ("UUID=1",)}, severity="warning", says="at the next boot"),
    Case(
        "swap",
        {"hardware.swaps.active": (Swap("/swap", 9 * GIB, 8 * GIB),), "hardware.available": GIB},
        says="swapped out",
    ),
    Case(
        "disk-full",
        {"hardware.filesystems": mounts(replace(DISK, size=10 * GIB, free=4 * GIB))},
        says="/ (/var/lib/containerd, /var/lib/kubelet) has 4.0 GiB free of 10.0; 5 are needed",
    ),
    Case(
        "disk-pressure",
        {"hardware.filesystems": mounts(replace(DISK, free=20 * GIB))},
        severity="warning",
        says="below 15%",
    ),
    Case("disk-inodes", {"hardware.filesystems": mounts(replace(DISK, inodes_free=9))}, says="9 of 10000000"),
    Case("disk-kind", {"hardware.filesystems": mounts(replace(DISK, kind="overlay"))}, on="cp-1", says="containerd"),
    Case(
        "disk-kind",
        {"hardware.filesystems": {"/var/lib/etcd": replace(DISK, kind="nfs4")}},
        on="cp-1",
        says="(etcd) lies on nfs4",
    ),
    Case(
        "disk-missing",
        set={"hosts:w-1.data.disks": [{"id": "nvme-1", "gib": 5}]},
        says="has no disk nvme-1; it has none",
    ),
    Case(
        "disk-missing",
        {"hardware.disks": (BlockDevice("vdb", 4 * 2**30, False, ("nvme-1",)),)},
        set={"hosts:w-1.data.disks": [{"id": "nvme-1", "gib": 5}]},
        says="4 GiB, and 5",
    ),
    Case("hostname", {"identity.hostname": "debian"}, severity="warning", says="debian"),
    Case("hostname", {"identity.hostname": "w-2.example.test"}, says="another host of the site"),
    Case("hostname", {"identity.hostname": "debian", "software.node": "done join"}, says="is a node"),
    Case("machine-id", {"identity.machine_id": f"{3:032x}"}, on="cp-1", says="w-1"),
    Case("machine-id", {"identity.machine_id": ""}, says="no machine-id"),
    Case("product-uuid", {"identity.product_uuid": "uuid-0"}, says="cp-1"),
    Case("mac-address", {"network.links": links(mac="02:00:00:00:01:00")}, says="02:00:00:00:01:00 as cp-1"),
    Case("clock-skew", {"clock": Clock(-2.2, -1.9, True)}, says="1.9 s behind"),
    Case("clock-skew", {"clock": Clock(3600.0, 3600.5, True)}, says="3600.0 s ahead"),
    Case("clock-unsynchronised", {"clock.synchronised": False}, severity="warning", says="follows none"),
    Case("clock-unsynchronised", {"clock.synchronised": None}, severity="warning", says="does not say"),
    Case("dns-silent", {"asked.names.answers": {}}, says="10.20.1.1 does not answer"),
    Case(
        "dns-silent",
        {"asked.names.answers": told(DnsAnswer("matrix.example.test", 4, 5, ()))},
        says="refuses to answer: matrix.example.test",
    ),
    Case(
        "dns-silent",
        {"asked.names.answers": {}, "network.resolvers": ()},
        set={"site:dns.main": [], "site:features.li": False},
        says="has no name server",
    ),
    Case(
        "dns-wrong",
        {"asked.names.answers": told(DnsAnswer("chat.example.test", 4, 0, (ip_address("203.0.113.9"),)))},
        says="leads to 203.0.113.9, not to 198.51.100.101, 2001:db8:100::101, by 10.20.1.1 and fd20:1::1",
    ),
    Case(
        "dns-pending",
        {"asked.names.answers": told(DnsAnswer("chat.example.test", 4, 3, ()))},
        severity="pending",
        says="pending: chat.example.test",
    ),
    Case(
        "dns-li-leak",
        {"asked.names.answers": told(DnsAnswer("keyvault.example.test", 4, 0, (ip_address("10.20.2.11"),)))},
        says="keyvault.example.test can be resolved outside LI",
    ),
    Case("address-missing", {"network.links": links(addresses=(ip_address("10.20.1.21"),))}, says="fd20:1::21"),
    Case(
        "address-undeclared",
        {"network.links": links(addresses=(*links()[0].addresses, ip_address("203.0.113.5")))},
        says="203.0.113.5 on eth0",
    ),
    Case("default-route", {"network.default_routes": frozenset()}, severity="warning"),
    Case(
        "mtu-differs",
        {"network.links": links(mtu=9000)},
        severity="warning",
        says="9000, and most of its network have 1500",
    ),
    Case(
        "path-mtu",
        {"asked.paths": {ip_address("10.20.1.22"): Way(1500, True, False)}},
        says="1500 bytes do not reach 10.20.1.22",
    ),
    Case(
        "path-mtu",
        {"asked.paths": {ip_address("10.20.1.22"): Way(1500, False, False)}},
        severity="pending",
        says="answers no ping",
    ),
    Case(
        "link-slow",
        {"network.links": links(speed=100)},
        severity="warning",
        says="100 Mbit/s, and main should have 1000",
    ),
    Case(
        "outbound-closed",
        {"asked.connects": {("registry.k8s.io", 443): Connect("silent")}},
        set=APT,
        says="registry.k8s.io:443: silent",
    ),
    Case(
        "port-taken",
        {"network.listeners": (listener("tcp", "::", 10250, "python3"),)},
        says="python3 listens on 10250/tcp, which is for kubelet (kubelet)",
    ),
    Case("port-taken", {"network.listeners": (listener("tcp", "127.0.0.1", 10248, "x"),)}, says="on the node itself"),
    Case(
        "port-taken",
        {"network.listeners": (listener("tcp", "0.0.0.0", 443, "nginx"),)},
        says="nginx listens on 443/tcp",
    ),
    Case(
        "port-taken",
        {"network.listeners": (listener("tcp", "0.0.0.0", 8443, "nginx"),)},
        on="cp-2",
        says="which is for haproxy",
    ),
    Case(
        "port-taken",
        {"network.listeners": (listener("udp", "0.0.0.0", 8472, ""),)},
        says="the kernel listens on 8472/udp",
    ),
    Case(
        "endpoint-taken",
        {"asked.connects": {ENDPOINT: Connect("open", "02:aa:00:00:00:01")}},
        on="cp-1",
        says="8443/tcp there is open, from 02:aa:00:00:00:01",
    ),
    Case(
        "endpoint-taken",
        {"asked.connects": {ENDPOINT: Connect("silent", "02:aa:00:00:00:01")}},
        on="cp-1",
        says="02:aa:00:00:00:01 answers for it",
    ),
    Case(
        "endpoint-taken",
        {"network.links": links(addresses=(*links()[0].addresses, ip_address("10.20.1.10")))},
        says="holds the endpoint's address 10.20.1.10 itself",
    ),
    Case(
        "foreign-rules",
        {"network.rulesets": rules(LEGACY.format("-A INPUT -p tcp --dport 25 -j DROP\n"))},
        says="--dport 25",
    ),
    Case(
        "foreign-rules",
        {"network.rulesets": rules(nft=refusing("kube-proxy"))},
        says="nft ip kube-proxy in handle 2: drop",
    ),
    Case("foreign-nftables", {"network.rulesets": rules(nft=table("theirs"))}, severity="warning", says="inet theirs"),
    Case("legacy-iptables", {"network.rulesets": rules(legacy=LEGACY.format("-A FORWARD -j DROP\n"))}, says="1 rules"),
    Case(
        "legacy-iptables",
        {"network.rulesets": rules(legacy="*filter\n")},
        severity="warning",
        says="without rules (filter)",
    ),
    Case("other-firewall", {"software.units": {"firewalld": Unit("active", "enabled")}}, remedy="firewalld"),
    Case("cluster-remains", {"software.remains": ("/etc/kubernetes/admin.conf",)}, says="/etc/kubernetes/admin.conf"),
    Case("cluster-remains", {"software.units": {"kubelet": Unit("active", "enabled")}}, says="service kubelet"),
    Case("cluster-remains", {"network.links": (*links(), replace(LINK, name="flannel.1"))}, says="interface flannel.1"),
    Case(
        "cluster-remains", {"network.rulesets": rules("*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n")}, says="KUBE-SERVICES"
    ),
    Case(
        "cluster-remains", {"network.rulesets": rules(nft=table("kube-proxy"))}, says="nftables table inet kube-proxy"
    ),
    Case(
        "node-elsewhere",
        {"software.node": "done join", "software.server": "https://other.test:8443"},
        says="https://other.test:8443",
    ),
    Case("container-runtime", {"software.units": {"docker": Unit("active", "enabled")}}, says="docker runs"),
    Case(
        "container-runtime",
        {"system.programs": frozenset({"ip", "ss", "ping", "podman"})},
        severity="warning",
        says="podman is installed",
    ),
    Case("containerd-foreign", {"software.units": {"containerd": Unit("active", "enabled")}}, severity="warning"),
    Case("dpkg-broken", {"software.packages.known": {"ufw": Package("iF ", "1")}}, says="ufw"),
    Case(
        "dpkg-broken",
        {"software.journal": ("0000", "0001")},
        says="dpkg was interrupted: 2 of its steps wait in /var/lib/dpkg/updates (0000, 0001)",
        remedy="dpkg --configure -a",
    ),
    Case(
        "dpkg-broken",
        {"software.apt": "Unmet dependencies. Try 'apt --fix-broken install'"},
        says="apt cannot work: Unmet",
    ),
    Case("apt-locked", {"software.locks": ("/var/lib/dpkg/lock-frontend",)}, severity="warning", says="lock-frontend"),
    Case(
        "packages-held",
        {"software.packages.known": {"kubelet": Package("hi ", "1"), "vim": Package("hi ", "1")}},
        severity="warning",
        says="versions: kubelet",
    ),
    Case(
        "outbound-closed",
        {"asked.connects": {("packages.example.test", 8080): Connect("refused")}},
        set={**INSIDE, "site:egress": "closed"},
        says="packages.example.test:8080: refused",
    ),
    Case(
        "outbound-closed",
        {"asked.connects": {("10.20.1.1", 443): Connect("silent")}},
        set={**INSIDE, "site:egress": "closed"},
        says="10.20.1.1:443: silent",
    ),
    Case("archive-missing", {"software.archives": ()}, set=APT),
)
