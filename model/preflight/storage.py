"""Is there room on the disks, and are they such that containers and etcd can live on them?"""

from __future__ import annotations

from collections.abc import Iterator

from model.host.machine_facts import Filesystem, MachineFacts
from model.preflight.finding import Check, Seen, View
from model.preflight.hardware import GIB
from model.site.hosts import Machine
from model.site.sizing import needs

# What the node itself takes: images, logs and what pods write; by the floor of a small site a few images.
_NODE_GIB, _SMALL_GIB = 20, 5
# kubelet's own limit for the file system of images.
_NODE_SHARE = 0.15
_INODE_SHARE = 0.05
# containerd lays its images' layers over each other, which an overlay itself does not bear.
_UNFIT = ("nfs", "nfs4", "cifs", "tmpfs", "ramfs", "fuse", "fuseblk", "squashfs", "vfat")
_PLACES = {"/var/lib/containerd": "container images", "/var/lib/kubelet": "pods", "/var/lib/etcd": "etcd"}


def space(view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """
    Find file systems with less room than the node's images, logs and, where no disk is declared for it, its roles' data
    need.
    """
    need = 0 if facts.ours else _need(view, machine) * GIB
    for mount, (system, places) in _mounts(machine, facts).items():
        if system.free < need:
            yield Seen(f"{_room(mount, system, places)}; {need / GIB:.0f} are needed")


def pressure(_view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find file systems so full that kubelet would drive pods away."""
    for mount, (system, places) in _mounts(machine, facts).items():
        if system.free < _NODE_SHARE * system.size:
            yield Seen(f"{_room(mount, system, places)}; kubelet drives pods away below {_NODE_SHARE:.0%}")


def _room(mount: str, system: Filesystem, places: list[str]) -> str:
    return f"{mount} ({', '.join(places)}) has {system.free / GIB:.1f} GiB free of {system.size / GIB:.1f}"


def _mounts(machine: Machine, facts: MachineFacts) -> dict[str, tuple[Filesystem, list[str]]]:
    """Return each file system once, with the paths on it that matter."""
    found: dict[str, tuple[Filesystem, list[str]]] = {}
    for path, system in facts.hardware.filesystems.items():
        if path in _wanted(machine):
            found.setdefault(system.mount, (system, []))[1].append(path)
    return found


def _wanted(machine: Machine) -> tuple[str, ...]:
    if not machine.node:
        return ()
    return tuple(path for path in _PLACES if path != "/var/lib/etcd" or machine.node == "control_plane")


def _need(view: View, machine: Machine) -> int:
    if view.site.settings.size == "small":
        return _SMALL_GIB
    apart = any(disk.purpose not in ("system", "unused") for disk in machine.data.disks)
    data = 0 if apart else sum(size.total_disk_gib for size in needs(view.site, machine))
    return _NODE_GIB + data


def inodes(_view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find file systems that have room and no inodes left for files."""
    for mount, (system, _) in _mounts(machine, facts).items():
        if system.inodes and system.inodes_free < _INODE_SHARE * system.inodes:
            yield Seen(f"{mount} has {system.inodes_free} of {system.inodes} inodes left")


def kinds(_view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find file systems on which containerd's layers or etcd's log cannot lie."""
    for path in _wanted(machine):
        system = facts.hardware.filesystems.get(path)
        layered = path == "/var/lib/containerd" and system is not None and system.kind == "overlay"
        if system is not None and (system.kind in _UNFIT or layered):
            yield Seen(f"{path} ({_PLACES[path]}) lies on {system.kind}, mounted at {system.mount}")


def disks(_view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find declared disks that the host does not have, or that are smaller than declared."""
    known = {name: disk for disk in facts.hardware.disks for name in disk.ids}
    for wanted in machine.data.disks:
        disk = known.get(wanted.id)
        if disk is None:
            yield Seen(f"has no disk {wanted.id}; it has {', '.join(sorted(known)) or 'none with a stable name'}")
        elif disk.size < wanted.gib * 2**30 * 0.95:
            yield Seen(f"its disk {wanted.id} has {disk.size / 2**30:.0f} GiB, and {wanted.gib} are declared")


CHECKS = (
    Check(
        "disk-full", "error", space, "free or enlarge that file system, or declare a disk for the data in hosts.yaml"
    ),
    Check("disk-pressure", "warning", pressure, "free or enlarge that file system"),
    Check("disk-inodes", "error", inodes, "remove the many small files there"),
    Check("disk-kind", "error", kinds, "mount an ext4 or xfs file system of a local disk there"),
    Check(
        "disk-missing", "error", disks, "correct `data.disks` in hosts.yaml (ls -l /dev/disk/by-id), or attach the disk"
    ),
)
