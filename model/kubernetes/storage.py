"""A node's volumes for pods, where they lie, and whether a disk may be given a file system."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from model.kubernetes.manifests import Manifest
from model.site.hosts import Disk, Machine
from model.site.site import Site

FOLDER = "/var/lib/matrix-fleet/volumes"
PROVISIONER = "kubernetes.io/no-provisioner"
PURPOSE = "matrix-fleet.io/purpose"
_DEFAULT = "storageclass.kubernetes.io/is-default-class"
# What a small site's node holds in folders: enough for a node of any role. Folders have no size of their own.
_FOLDERS = ("database", "objects", "objects", "monitoring")
_FOLDER_GIB = 1
# Vendors count in powers of ten, and partitions take their share.
_SIZE_TOLERANCE = 0.1
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume of one node; `disk` None: a folder of the system's own disk."""

    machine: str
    name: str
    purpose: str
    gib: int
    disk: Disk | None = None

    @property
    def mount(self) -> str:
        """Where its file system is mounted."""
        return f"{FOLDER}/{self.name}"

    @property
    def path(self) -> str:
        """
        The folder that pods get. It lies on the volume's own file system: where that is not mounted there is none.
        """
        return f"{self.mount}/data"

    @property
    def label(self) -> str:
        """Label of its file system: of this node and this disk, so that a disk from elsewhere is not taken for it."""
        known = f"{self.machine} {self.disk.id if self.disk else self.name}"
        return f"mf-{hashlib.sha256(known.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """
    A declared disk as the host has it: `device` empty where it has none, `label` its file system's, `reasons` what
    speaks against its being empty.
    """

    device: str
    size: int = 0
    label: str = ""
    reasons: tuple[str, ...] = ()


Judgement = Literal["ready", "empty", "missing", "wrong-size", "in-use"]


def volumes(site: Site, machine: Machine) -> tuple[Volume, ...]:
    """Return a node's volumes: its declared disks, or folders where a small site declares none."""
    if machine.node is None:
        return ()
    disks = [disk for disk in machine.data.disks if disk.purpose not in ("system", "unused")]
    if disks:
        # Named after the disk itself: a line moved in hosts.yaml must not swap two volumes.
        names = (f"{disk.purpose}-{hashlib.sha256(disk.id.encode()).hexdigest()[:8]}" for disk in disks)
        return tuple(
            Volume(machine.name, name, disk.purpose, disk.gib, disk) for name, disk in zip(names, disks, strict=True)
        )
    if site.settings.size != "small" or not any(site.roles[role].node == "worker" for role in machine.roles):
        return ()
    pairs = zip(_counted(_FOLDERS), _FOLDERS, strict=True)
    return tuple(Volume(machine.name, name, purpose, _FOLDER_GIB) for name, purpose in pairs)


def judge(volume: Volume, seen: DiskFacts) -> Judgement:
    """Say what a volume's disk is: our file system, empty, or nothing that may be touched."""
    if not seen.device:
        return "missing"
    if seen.label == volume.label:
        return "ready"
    if seen.size < volume.gib * _GIB * (1 - _SIZE_TOLERANCE):
        return "wrong-size"
    return "in-use" if seen.reasons else "empty"


def manifests(site: Site, others_default: bool = False) -> tuple[Manifest, ...]:
    """
    Return the storage class and a PersistentVolume a volume. `others_default`: another class is the cluster's default
    already.
    """
    declared = [volume for machine in site.servers for volume in volumes(site, machine)]
    if not declared:
        return ()
    name = site.settings.kubernetes.storage_class
    storage_class = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": {_DEFAULT: "false" if others_default else "true"}},
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Retain",
        # A pod's place decides: a volume bound before could be on a node where the pod may not run.
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    return (storage_class, *(_persistent_volume(volume, name) for volume in declared))


def _persistent_volume(volume: Volume, storage_class: str) -> Manifest:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [volume.machine]}
    spec: dict[str, Any] = {
        "capacity": {"storage": f"{volume.gib}Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": storage_class,
        "volumeMode": "Filesystem",
        "local": {"path": volume.path},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
    }
    meta = {"name": f"{volume.machine}-{volume.name}", "labels": {PURPOSE: volume.purpose}}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": spec}


def _counted(purposes: Iterable[str]) -> list[str]:
    """Number what has the same purpose."""
    seen: dict[str, int] = {}
    names = []
    for purpose in purposes:
        seen[purpose] = seen.get(purpose, 0) + 1
        names.append(f"{purpose}-{seen[purpose]}")
    return names
