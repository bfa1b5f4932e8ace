"""Checks of storage: there is room on the disks, and containers and etcd can live on them."""

from __future__ import annotations

from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.judgement.disks import undersupplied
from model.check.judgement.size import KIB_IN_GIB as GIB
from model.check.preflight.view import PreflightView
from model.host.machine_facts import Filesystem, MachineFacts
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


def space(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """
    Find file systems with less room than the node's images, logs and, where no disk is declared for it, its roles' data
    need.
    """
    need = 0 if facts.ours else _need(view, machine) * GIB
    for mount, (system, places) in _mounts(machine, facts).items():
        if system.free < need:
            yield Finding(f"{_room(mount, system, places)}; {need / GIB:.0f} are needed")


def pressure(_view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find file systems so full that kubelet would drive pods away."""
    for mount, (system, places) in _mounts(machine, facts).items():
        if system.free < _NODE_SHARE * system.size:
            yield Finding(f"{_room(mount, system, places)}; kubelet drives pods away below {_NODE_SHARE:.0%}")


def _room(mount: str, system: Filesystem, places: list[str]) -> str:
    return f"{mount} ({', '.join(places)}) has {system.free / GIB:.1f} GiB free of {system.size / GIB:.1f}"


def _mounts(machine: Machine, facts: MachineFacts) -> dict[str, tuple[Filesystem, list[str]]]:
    """Return each file system once, with the paths on it that matter."""
    mounts: dict[str, tuple[Filesystem, list[str]]] = {}
    for path, system in facts.hardware.filesystems.items():
        if path in _wanted(machine):
            mounts.setdefault(system.mount, (system, []))[1].append(path)
    return mounts


def _wanted(machine: Machine) -> tuple[str, ...]:
    if not machine.node:
        return ()
    return tuple(path for path in _PLACES if path != "/var/lib/etcd" or machine.node == "control_plane")


def _need(view: PreflightView, machine: Machine) -> int:
    if view.site.settings.size == "small":
        return _SMALL_GIB
    apart = any(disk.purpose not in ("system", "unused") for disk in machine.data.disks)
    data = 0 if apart else sum(size.total_disk_gib for size in needs(view.site, machine))
    return _NODE_GIB + data


def inodes(_view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find file systems that have room and no inodes left for files."""
    for mount, (system, _) in _mounts(machine, facts).items():
        if system.inodes and system.inodes_free < _INODE_SHARE * system.inodes:
            yield Finding(f"{mount} has {system.inodes_free} of {system.inodes} inodes left")


def kinds(_view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find file systems on which containerd's layers or etcd's log cannot lie."""
    for path in _wanted(machine):
        system = facts.hardware.filesystems.get(path)
        layered = path == "/var/lib/containerd" and system is not None and system.kind == "overlay"
        if system is not None and (system.kind in _UNFIT or layered):
            yield Finding(f"{path} ({_PLACES[path]}) lies on {system.kind}, mounted at {system.mount}")


def disks(_view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find declared disks that the host does not have, or that are smaller than declared."""
    yield from map(Finding, undersupplied(machine, facts.hardware.disks))


CHECKS = (
    Check(
        id="disk-full",
        judge=space,
        remedy="free or enlarge that file system, or declare a disk for the data in hosts.yaml",
    ),
    Check(id="disk-pressure", severity=Severity.WARNING, judge=pressure, remedy="free or enlarge that file system"),
    Check(id="disk-inodes", judge=inodes, remedy="remove the many small files there"),
    Check(
        id="disk-kind",
        judge=kinds,
        remedy="mount an ext4 or xfs file system of a local disk there",
    ),
    Check(
        id="disk-missing",
        judge=disks,
        remedy="correct `data.disks` in hosts.yaml (ls -l /dev/disk/by-id), or attach the disk",
    ),
)
