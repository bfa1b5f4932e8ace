"""
Keep ports of Services, and the node itself from its pods, to what the port matrix names, in a table of nftables of our
own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from model.base import Network
from model.errors import HostError
from model.host.hoststate import File, HostState, SystemdUnit
from model.matrix.nodeports import RANGE, Gate, gates, pod_gates
from model.site.hosts import Machine
from model.site.site import Site
from tasks import hoststate
from tasks.render import render

if TYPE_CHECKING:
    from nornir.core.inventory import Host

FILE = "/etc/matrix-fleet/nodeports.nft"
UNIT = "matrix-fleet-nodeports.service"
_LIST = ("nft", "list", "chain", "inet", "matrix_fleet", "node_port")
_KERNEL = ("- kernel: table inet matrix_fleet", "+ kernel: table inet matrix_fleet as in " + FILE)
# An address that no packet ever has: nftables takes no empty set.
_NOBODY = {4: "255.255.255.255", 6: "::"}


def desired(site: Site, machine: Machine) -> HostState:
    """Return the table of one node as a file, and the unit that puts it into the kernel before the network is up."""
    return HostState(
        packages=("nftables",),
        files=(
            File(FILE, ruleset(site, machine), mode=0o600, reload=(UNIT,)),
            File(f"/etc/systemd/system/{UNIT}", render("node/nodeports.service", file=FILE)),
        ),
        units=(SystemdUnit(UNIT),),
    )


def ruleset(site: Site, machine: Machine) -> str:
    """
    Return the table as `nft -f` reads it: it replaces the one that is there in one transaction.

    The digest of its text stands in a rule's comment, by which the kernel's table is known.
    """
    node_ports, translated = gates(site, machine, RANGE), gates(site, machine)
    text = ""
    for digest in ("", None):
        text = render(
            "node/nodeports.nft",
            low=RANGE[0],
            high=RANGE[1],
            node_ports=[_rule(gate, "", f"{gate.protocol} dport") for gate in node_ports],
            translated=[
                _rule(gate, "ct original ", f"meta l4proto {gate.protocol} ct original proto-dst")
                for gate in translated
            ],
            from_pods=[_rule(gate, "", f"{gate.protocol} dport") for gate in pod_gates(site, machine)],
            pods=_by_version(site.settings.kubernetes.pod_cidrs),
            refused=_beginnings(site.settings.kubernetes.pod_cidrs),
            services=_by_version(site.settings.kubernetes.service_cidrs),
            digest=digest if digest is not None else hashlib.sha256(text.encode()).hexdigest()[:16],
        )
    return text


def enforce(host: Host, site: Site, machine: Machine, *, dry_run: bool) -> tuple[str, ...]:
    """
    Bring the host's table to what the matrix says, in the file and in the kernel; return what changed, or would.

    Raises `HostError` where the kernel holds another table afterwards, and what running a command raises.
    """
    wanted = desired(site, machine)
    lines = hoststate.enforce(host, wanted, dry_run=dry_run).change.lines
    if dry_run and lines:
        return lines
    if in_kernel(host, wanted):
        return lines
    if dry_run:
        return _KERNEL
    from remote.shell import run

    run(host, ("systemctl", "reload-or-restart", "--", UNIT), root=True).check(host)
    if not in_kernel(host, wanted):
        raise HostError(
            host.name, f"its kernel does not hold the table of {FILE}", f"look at `systemctl status {UNIT}`"
        )
    return (*lines, *_KERNEL)


def in_kernel(host: Host, wanted: HostState) -> bool:
    """Return whether the host's kernel holds the table that `desired` describes."""
    from remote.shell import run

    mark = wanted.files[0].text.partition('comment "')[2].partition('"')[0]
    return mark.encode() in run(host, _LIST, root=True).stdout


def _rule(gate: Gate, where: str, port: str) -> str:
    """Write a gate; `where` says which destination is meant, `port` which port."""
    family = "ip" if gate.version == 4 else "ip6"
    low, high = gate.interval
    words = (
        f"{family} saddr {{ {', '.join(map(_written, gate.sources))} }}",
        *((f"{where}{family} daddr {gate.destination}",) if gate.destination is not None else ()),
        f"{port} {low}" if low == high else f"{port} {low}-{high}",
        "accept" if gate.admit else "drop",
        f"# {', '.join(gate.rows)}",
    )
    return " ".join(words)


def _by_version(networks: Iterable[Network]) -> dict[int, list[str]]:
    """Return networks by IP version, none of which is empty."""
    return {v: [str(cidr) for cidr in networks if cidr.version == v] or [_NOBODY[v]] for v in (4, 6)}


def _beginnings(networks: Iterable[Network]) -> list[tuple[int, str]]:
    """Return what addresses of each IPv4 network begin with: how many bits, and their value as nftables reads it."""
    return [
        (network.prefixlen, f"{int(network.network_address) >> (network.max_prefixlen - network.prefixlen):#x}")
        for network in networks
        if network.version == 4
    ]


def _written(network: object) -> str:
    return str(network).removesuffix("/32").removesuffix("/128")
