"""What every server has that several parts of the program ask for: packages, modules, kernel settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from model.matrix.matrix import host_rules
from model.site.hosts import Machine
from model.site.site import Site

# Where the kernel takes local ports from unless it is told otherwise.
_EPHEMERAL = (32768, 60999)
# What a person does where python3 is missing, which bootstrap's first phases do not need.
INSTALL_PYTHON3 = "install python3 there: `apt-get install python3`"
PACKAGES = ("ufw", "python3", "sudo", "iptables", "nftables", "kmod", "chrony", "ca-certificates")
NODE_PACKAGES = ("conntrack", "socat", "ethtool", "ebtables")
MODULES = ("overlay", "br_netfilter", "nf_conntrack")


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
    declared = [_interval(text) for text in site.settings.servers.reserved_ports]
    for first, last in _joined((*wanted, *declared)):
        yield str(first) if first == last else f"{first}-{last}"


def _interval(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def _joined(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the intervals in the kernel's own spelling: sorted, without overlaps."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(intervals):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined
