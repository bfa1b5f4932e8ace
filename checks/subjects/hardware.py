"""Is the server as large as its roles need, are its disks there and not full, is swap off, are its links fast?"""

from __future__ import annotations

from checks.check import NODES, SERVERS, ChecklistRef, HostCheck, Verdict, View, settled
from model.host.host_facts import Disks, HostFacts, Machinery, Swaps
from model.preflight.hardware import GIB as KIB_IN_GIB
from model.site.hosts import Machine
from model.site.sizing import needs

# The kernel keeps some of the memory that a server is sold with for itself; vendors count disks in powers of ten.
_TOLD, _DISK_TOLD = 0.9, 0.95
_GIB = 2**30


def size(view: View, machine: Machine, facts: HostFacts) -> Verdict:
    """Find servers with less processors or memory than their roles need together."""
    has, sizes = facts.of(Machinery), needs(view.site, machine)
    cpus, ram = sum(each.cpus for each in sizes), sum(each.ram_gib for each in sizes)
    roles, memory = ", ".join(machine.roles), has.memory / KIB_IN_GIB
    wrong = [f"has {has.cpus} CPU; its roles ({roles}) need {cpus}"] if has.cpus < cpus else []
    if memory < ram * _TOLD:
        wrong.append(f"has {memory:.1f} GiB of memory; its roles ({roles}) need {ram}")
    seen = {"cpus": has.cpus, "memory_gib": round(memory, 1), "needs": {"cpus": cpus, "memory_gib": ram}}
    return settled(wrong, f"{has.cpus} CPU and {memory:.1f} GiB of memory, as its roles need", seen)


def declared(_view: View, machine: Machine, facts: HostFacts) -> Verdict:
    """Find declared disks that the host does not have, or that are smaller than declared."""
    known = {name: disk for disk in facts.of(Disks).disks for name in disk.ids}
    wrong = []
    for wanted in machine.data.disks:
        disk = known.get(wanted.id)
        if disk is None:
            wrong.append(f"has no disk {wanted.id}")
        elif disk.size < wanted.gib * _GIB * _DISK_TOLD:
            wrong.append(f"its disk {wanted.id} has {disk.size / _GIB:.0f} GiB, and {wanted.gib} are declared")
    told = f"{len(machine.data.disks)} declared disks are there" if machine.data.disks else "no disk is declared for it"
    return settled(wrong, told, sorted(known))


def space(view: View, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find file systems that are nearly full, of room or of inodes."""
    least = view.site.settings.compliance.free_percent / 100
    wrong, shown = [], {}
    for mount in facts.of(Disks).mounts:
        room = mount.used + mount.free
        share = mount.free / room if room else 1.0
        inodes = mount.inodes_free / mount.inodes if mount.inodes else 1.0
        shown[mount.place] = f"{share:.0%} of {mount.size / _GIB:.2f} GiB free"
        if share < least:
            wrong.append(
                f"{mount.place} has {share:.0%} free of {mount.size / _GIB:.2f} GiB; {least:.0%} are asked for"
            )
        elif inodes < least:
            wrong.append(f"{mount.place} has {inodes:.0%} of its inodes free; {least:.0%} are asked for")
    return settled(wrong, f"{len(shown)} file systems have room", shown)


def swap(_view: View, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find nodes that swap, or would at the next boot."""
    said = facts.of(Swaps)
    wrong = [f"swaps on {each.name} ({each.size / KIB_IN_GIB:.1f} GiB)" for each in said.active]
    wrong += [f"/etc/fstab would swap on {name} at the next boot" for name in said.configured]
    return settled(
        wrong, "does not swap", {"active": [each.name for each in said.active], "fstab": list(said.configured)}
    )


def speed(view: View, machine: Machine, facts: HostFacts) -> Verdict:
    """Find links that are slower than their network should be; one that does not tell its speed proves nothing."""
    held = {address: link for link in facts.of(Machinery).links for address in link.addresses}
    wrong: dict[str, None] = {}
    shown, silent = {}, []
    for network, address in machine.every:
        link, wanted = held.get(address), view.site.settings.networks[network].speed_mbps
        if link is None:
            wrong[f"does not have {address}, which hosts.yaml declares"] = None
        elif 0 < link.speed < wanted:
            wrong[f"its {link.name} runs at {link.speed} Mbit/s, and {network} should have {wanted}"] = None
        elif link.speed:
            shown[link.name] = f"{link.speed} Mbit/s"
        else:
            silent.append(link.name)
    if silent and not wrong:
        return Verdict(
            pending=f"{', '.join(dict.fromkeys(silent))} does not tell its speed, as links of virtual machines do not",
            seen=shown,
        )
    return settled(list(wrong), ", ".join(f"{name} runs at {told}" for name, told in shown.items()), shown)


_SERVERS = "Organization Prerequisites 1"
CHECKS = (
    HostCheck(
        id="hardware/size",
        title="The server is as large as its roles need",
        place=ChecklistRef(_SERVERS, 20),
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
        place=ChecklistRef(_SERVERS, 22),
        phase="prerequisites",
        severity="warning",
        looks_at="the negotiated speed of the links that carry declared addresses",
        by="ethtool LINK",
        remedy="look at cable, port and negotiation (ethtool), or set `speed_mbps` in site.yaml",
        applies=SERVERS,
        judge=speed,
    ),
    HostCheck(
        id="disks/declared",
        title="The declared disks are there",
        place=ChecklistRef("Deployer Responsibilities", 377),
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
        place=ChecklistRef("Deployer Responsibilities", 377),
        phase="host",
        severity="warning",
        looks_at="room and inodes of every mounted file system",
        by="df -h; df -i",
        remedy="free or enlarge that file system",
        applies=SERVERS,
        judge=space,
    ),
    HostCheck(
        id="swap/off",
        title="Nodes do not swap",
        place=ChecklistRef("Deployer Responsibilities", 372),
        phase="host",
        looks_at="/proc/swaps and /etc/fstab",
        by="swapon --show",
        remedy="swapoff -a and take it out of /etc/fstab: python -m flows.bootstrap --only os",
        owner="os",
        applies=NODES,
        judge=swap,
    ),
)
