"""Checks of hardware: servers as large as their roles need, disks there and not full, no swap, fast links."""

from __future__ import annotations

from checks.check import NODES, SERVERS, ComplianceView, HostCheck
from model.check.finding import Severity, Verdict, settled
from model.check.judgement import disks, links
from model.check.judgement.disks import GIB
from model.check.judgement.size import KIB_IN_GIB, needed, too_few_cpus, too_little_memory
from model.host.host_facts import Disks, HostFacts, Machinery
from model.host.shared_facts import Swaps
from model.site.hosts import Machine


def size(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find servers with less processors or memory than their roles need together, or than kubeadm asks for."""
    has, need = facts.of(Machinery).capacity, needed(view.site, machine)
    wrong = [*too_few_cpus(view.site, machine, has), *too_little_memory(view.site, machine, has)]
    memory = has.memory / KIB_IN_GIB
    needs = {"cpus": need.cpus, "memory_gib": round(need.memory / KIB_IN_GIB, 1)}
    evidence = {"cpus": has.cpus, "memory_gib": round(memory, 1), "needs": needs}
    return settled(wrong, f"{has.cpus} CPU and {memory:.1f} GiB of memory, as its roles need", evidence)


def declared(_view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find declared disks that the host does not have, or that are smaller than declared."""
    there = facts.of(Disks).disks
    count = len(machine.data.disks)
    good = f"{count} declared disks are there" if count else "no disk is declared for it"
    wrong = list(disks.undersupplied(machine, there))
    return settled(wrong, good, sorted(name for disk in there for name in disk.ids))


def space(view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find file systems that are nearly full, of room or of inodes."""
    least = view.site.settings.compliance.free_percent / 100
    wrong, shown = [], {}
    for mount in facts.of(Disks).mounts:
        room = mount.used + mount.free
        share = mount.free / room if room else 1.0
        inodes = mount.inodes_free / mount.inodes if mount.inodes else 1.0
        shown[mount.place] = f"{share:.0%} of {mount.size / GIB:.2f} GiB free"
        if share < least:
            wrong.append(f"{mount.place} has {share:.0%} free of {mount.size / GIB:.2f} GiB; {least:.0%} are asked for")
        elif inodes < least:
            wrong.append(f"{mount.place} has {inodes:.0%} of its inodes free; {least:.0%} are asked for")
    return settled(wrong, f"{len(shown)} file systems have room", shown)


def swap(_view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find nodes that swap, or would at the next boot."""
    swaps = facts.of(Swaps)
    evidence = {"active": [area.name for area in swaps.active], "fstab": list(swaps.configured)}
    return settled(list(disks.swapping(swaps)), "does not swap", evidence)


def speed(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find links that are slower than their network should be; one that does not tell its speed proves nothing."""
    known = facts.of(Machinery).links
    held = links.holders(known)
    wrong = [*links.missing_addresses(machine, known), *links.slow_links(view.site, machine, known)]
    carrying = dict.fromkeys(held[address] for _, address in machine.every if address in held)
    speeds = {link.name: f"{link.speed} Mbit/s" for link in carrying if link.speed}
    silent = [link.name for link in carrying if not link.speed]
    if silent and not wrong:
        return Verdict(
            pending=f"{', '.join(silent)} does not tell its speed, as links of virtual machines do not", evidence=speeds
        )
    return settled(wrong, ", ".join(f"{name} runs at {speed_told}" for name, speed_told in speeds.items()), speeds)


CHECKS = (
    HostCheck(
        id="hardware/size",
        title="The server is as large as its roles need",
        phase="prerequisites",
        looks_at="processors and memory, against the sizing table",
        by="nproc; free -h",
        remedy="a larger server, or fewer roles on it",
        applies=SERVERS,
        judge=size,
    ),
    HostCheck(
        id="hardware/links",
        title="The server's links are as fast as its networks should be",
        phase="prerequisites",
        severity=Severity.WARNING,
        looks_at="the negotiated speed of the links that carry declared addresses",
        by="ethtool LINK",
        remedy="look at cable, port and negotiation (ethtool), or set `speed_mbps` in site.yaml",
        applies=SERVERS,
        judge=speed,
    ),
    HostCheck(
        id="disks/declared",
        title="The declared disks are there",
        phase="prerequisites",
        looks_at="/dev/disk/by-id, against hosts.yaml",
        by="ls -l /dev/disk/by-id; lsblk",
        remedy="correct `data.disks` in hosts.yaml, or attach the disk",
        applies=SERVERS,
        judge=declared,
    ),
    HostCheck(
        id="disks/space",
        title="No file system is nearly full",
        phase="host",
        severity=Severity.WARNING,
        looks_at="room and inodes of every mounted file system",
        by="df -h; df -i",
        remedy="free or enlarge that file system",
        applies=SERVERS,
        judge=space,
    ),
    HostCheck(
        id="swap/off",
        title="Nodes do not swap",
        phase="host",
        looks_at="/proc/swaps and /etc/fstab",
        by="swapon --show",
        remedy="swapoff -a and take it out of /etc/fstab: python -m flows.bootstrap --only os",
        owner="os",
        applies=NODES,
        judge=swap,
    ),
)
