"""Is the server as large as its roles need, and does it use what would get in kubelet's way?"""

from __future__ import annotations

from collections.abc import Iterator

from model.host.machine_facts import MachineFacts
from model.preflight.finding import Check, Seen, View
from model.site.hosts import Machine
from model.site.sizing import needs

MIB, GIB = 2**10, 2**20
# kubeadm refuses a control plane with less, whatever the site's size.
_PLANE_CPUS, _PLANE_MEMORY = 2, 1700 * MIB
# The kernel keeps some of the memory that a server is sold with for itself.
_TOLD = 0.9


def processors(view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find servers with fewer processors than their roles need together, or than kubeadm asks for."""
    need = sum(size.cpus for size in needs(view.site, machine))
    if machine.node == "control_plane" and "NumCPU" not in view.site.settings.kubernetes.accepted_errors:
        need = max(need, _PLANE_CPUS)
    if facts.hardware.cpus < need:
        yield Seen(f"has {facts.hardware.cpus} CPU; its roles ({', '.join(machine.roles)}) need {need}")


def memory(view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find servers with less memory than their roles need together, or than kubeadm asks for."""
    need = int(sum(size.ram_gib for size in needs(view.site, machine)) * GIB * _TOLD)
    if machine.node == "control_plane" and "Mem" not in view.site.settings.kubernetes.accepted_errors:
        need = max(need, _PLANE_MEMORY)
    have = facts.hardware.memory
    if have < need:
        yield Seen(f"has {have / GIB:.1f} GiB of memory; its roles ({', '.join(machine.roles)}) need {need / GIB:.1f}")


def swap(_view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """
    Find nodes with swap, compressed memory (zram) too; where what is in it fits nowhere else it cannot just be turned
    off.
    """
    hardware = facts.hardware
    if not machine.node or not (hardware.swaps or hardware.fstab_swaps):
        return
    shown = ", ".join(
        f"{each.name} ({'zram, ' if each.zram else ''}{each.size / GIB:.1f} GiB)" for each in hardware.swaps
    )
    used = sum(each.used for each in hardware.swaps)
    if used > hardware.available * _TOLD:
        what = f"has {used / GIB:.1f} GiB swapped out and {hardware.available / GIB:.1f} GiB of memory left: {shown}"
        yield Seen(what, "end what uses so much memory, or give the server more; only then swap can go", "error")
    elif shown:
        yield Seen(f"swaps on {shown}")
    else:
        yield Seen(f"/etc/fstab would swap on {', '.join(hardware.fstab_swaps)} at the next boot")


CHECKS = (
    Check("cpu-too-few", "error", processors, "a larger server, or fewer roles on it"),
    Check("memory-too-small", "error", memory, "a larger server, or fewer roles on it"),
    Check("swap", "warning", swap, "nothing: the operating system's phase turns it off for good"),
)
