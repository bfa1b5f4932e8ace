"""Judgements of disks: the declared ones are there, and the host does not swap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model.check.judgement.size import KIB_IN_GIB
from model.host.shared_facts import BlockDevice, Swap, Swaps
from model.site.hosts import Machine

GIB = 2**30
# Vendors count disks in powers of ten.
_USABLE = 0.95


def undersupplied(machine: Machine, disks: Sequence[BlockDevice]) -> Iterator[str]:
    """Say which declared disks are not there, or are smaller than declared."""
    known = {name: disk for disk in disks for name in disk.ids}
    for wanted in machine.data.disks:
        disk = known.get(wanted.id)
        if disk is None:
            yield f"has no disk {wanted.id}; it has {', '.join(sorted(known)) or 'none with a stable name'}"
        elif disk.size < wanted.gib * GIB * _USABLE:
            yield f"its disk {wanted.id} has {disk.size / GIB:.0f} GiB, and {wanted.gib} are declared"


def swapping(swaps: Swaps) -> Iterator[str]:
    """Say what a host swaps on, compressed memory (zram) too, and what it would swap on after the next boot."""
    if swaps.active:
        yield f"swaps on {', '.join(map(area, swaps.active))}"
    if swaps.configured:
        yield f"/etc/fstab would swap on {', '.join(swaps.configured)} at the next boot"


def area(swap: Swap) -> str:
    """Return a swap area's name and size."""
    return f"{swap.name} ({'zram, ' if swap.zram else ''}{swap.size / KIB_IN_GIB:.1f} GiB)"
