"""Is the server as large as its roles need, and does it use what would get in kubelet's way?"""

from __future__ import annotations

from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.preflight.view import PreflightView
from model.host.machine_facts import MachineFacts
from model.site import sizing
from model.site.hosts import Machine
from model.site.site import Site

MIB, GIB = 2**10, 2**20
# kubeadm refuses a control plane with less, whatever the site's size.
_PLANE_CPUS, _PLANE_MEMORY = 2, 1700 * MIB
# The kernel keeps some of the memory that a server is sold with for itself.
_TOLD = 0.9


def needs(site: Site, machine: Machine) -> tuple[sizing.Size, ...]:
    """Return the size of each role the machine has."""
    sizes = sizing.sizes(site.settings)
    return tuple(sizes[role] for role in machine.roles if role in sizes)


def processors(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find servers with fewer processors than their roles need together, or than kubeadm asks for."""
    need = sum(size.cpus for size in needs(view.site, machine))
    if machine.node == "control_plane" and "NumCPU" not in view.site.settings.kubernetes.accepted_errors:
        need = max(need, _PLANE_CPUS)
    if facts.hardware.cpus < need:
        yield Finding(f"has {facts.hardware.cpus} CPU; its roles ({', '.join(machine.roles)}) need {need}")


def memory(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find servers with less memory than their roles need together, or than kubeadm asks for."""
    need = int(sum(size.ram_gib for size in needs(view.site, machine)) * GIB * _TOLD)
    if machine.node == "control_plane" and "Mem" not in view.site.settings.kubernetes.accepted_errors:
        need = max(need, _PLANE_MEMORY)
    have = facts.hardware.memory
    if have < need:
        yield Finding(
            f"has {have / GIB:.1f} GiB of memory; its roles ({', '.join(machine.roles)}) need {need / GIB:.1f}"
        )


def swap(_view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
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
        yield Finding(
            what, "end what uses so much memory, or give the server more; only then swap can go", Severity.ERROR
        )
    elif shown:
        yield Finding(f"swaps on {shown}")
    else:
        yield Finding(f"/etc/fstab would swap on {', '.join(hardware.fstab_swaps)} at the next boot")


CHECKS = (
    Check(id="cpu-too-few", judge=processors, remedy="a larger server, or fewer roles on it"),
    Check(id="memory-too-small", judge=memory, remedy="a larger server, or fewer roles on it"),
    Check(
        id="swap",
        severity=Severity.WARNING,
        judge=swap,
        remedy="nothing: the operating system's phase turns it off for good",
    ),
)
