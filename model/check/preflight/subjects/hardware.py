"""Checks of hardware: a server is as large as its roles need, and uses nothing that gets in kubelet's way."""

from __future__ import annotations

from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.judgement import disks, size
from model.check.preflight.view import PreflightView
from model.host.machine_facts import MachineFacts
from model.site.hosts import Machine


def processors(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find servers with fewer processors than their roles need together, or than kubeadm asks for."""
    yield from map(Finding, size.too_few_cpus(view.site, machine, facts.hardware.capacity))


def memory(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find servers with less memory than their roles need together, or than kubeadm asks for."""
    yield from map(Finding, size.too_little_memory(view.site, machine, facts.hardware.capacity))


def swap(_view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """
    Find nodes with swap, compressed memory (zram) too; where what is in it fits nowhere else it cannot just be turned
    off.
    """
    if not machine.node:
        return
    areas, available = facts.hardware.swaps.active, facts.hardware.available
    used = sum(swap.used for swap in areas)
    if used > available * size.USABLE:
        room = f"{used / size.KIB_IN_GIB:.1f} GiB swapped out and {available / size.KIB_IN_GIB:.1f} GiB of memory left"
        remedy = "end what uses so much memory, or give the server more; only then swap can go"
        yield Finding(f"has {room}: {', '.join(map(disks.area, areas))}", remedy, Severity.ERROR)
    else:
        # What is on by now and what the next boot turns on have the same remedy: one finding is enough.
        yield from map(Finding, tuple(disks.swapping(facts.hardware.swaps))[:1])


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
