"""
Give pods local volumes: a file system on each declared disk, its mount, and the objects by which the cluster knows it.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.errors import HostError
from model.host.hoststate import File, HostState, SystemdUnit
from model.kubernetes.cluster import read_storage_class
from model.kubernetes.storage import PROVISIONER, DiskFacts, Volume, judge, manifests, volumes
from model.site.hosts import Machine
from model.site.site import Site
from remote.facts.disks import BY_ID, functions, observe
from tasks import hoststate, objects

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from remote.kube import Cluster

FOLDERS_UNIT = "matrix-fleet-volumes.service"
_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
_FORMAT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class PreparedVolumes:
    """
    What came of a node's volumes: `lines` what changed or would; `refused` says of each disk that may not be touched
    why, `waiting` names empty disks that nobody has yet consented to format.
    """

    lines: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


def prepare(
    host: Host, site: Site, machine: Machine, *, dry_run: bool, consent: bool, folder: str = BY_ID
) -> PreparedVolumes:
    """
    Format a node's empty declared disks where somebody consents, and mount those that carry our file system.

    Only a disk on which there is nothing at all is ever formatted; it is looked at once more in the same command.
    Raises `HostError`.
    """
    wanted = volumes(site, machine)
    on_disks = [volume for volume in wanted if volume.disk is not None]
    ready = [volume for volume in wanted if volume.disk is None]
    lines: list[str] = []
    refused: list[str] = []
    waiting: list[str] = []
    seen = observe(host, [_id(volume) for volume in on_disks], folder) if on_disks else ()
    for volume, facts in zip(on_disks, seen, strict=True):
        verdict = judge(volume, facts)
        if verdict == "empty" and consent:
            lines.append(f"+ ext4 on {_id(volume)} ({facts.device}, {volume.gib} GiB) for {volume.name}")
            if not dry_run:
                _format(host, volume, folder)
        elif verdict == "empty":
            waiting.append(f"{_id(volume)} ({facts.device}) for {volume.name}")
            continue
        elif verdict != "ready":
            refused.append(_refusal(volume, facts, verdict))
            continue
        ready.append(volume)
    done = hoststate.enforce(host, mounts(ready, folder), dry_run=dry_run)
    return PreparedVolumes((*lines, *done.change.lines), tuple(refused), tuple(waiting))


def enforce(cluster: Cluster, site: Site, *, dry_run: bool) -> tuple[str, ...]:
    """
    Apply the storage class and the volumes; return what changed, or would.

    A class of that name that provisions by itself is the organisation's: then nothing is ours to add.
    """
    name = site.settings.kubernetes.storage_class
    classes = {storage_class.name: storage_class for storage_class in map(read_storage_class, cluster.list(_CLASSES))}
    if name in classes and classes[name].provisioner != PROVISIONER:
        return ()
    others_default = any(storage_class.preferred for storage_class in classes.values() if storage_class.name != name)
    return objects.enforce(cluster, manifests(site, others_default), dry_run=dry_run)


def mounts(ready: list[Volume], folder: str = BY_ID) -> HostState:
    """Return the units that mount file systems which are there, and make the folders of volumes that have none."""
    state = HostState()
    for volume in ready:
        if volume.disk is not None:
            unit = f"{escaped(volume.mount)}.mount"
            text = _MOUNT.format(what=f"{folder}/{volume.disk.id}", where=volume.mount, name=volume.name)
            state += HostState(
                files=(File(f"/etc/systemd/system/{unit}", text, restart=(unit,)),), units=(SystemdUnit(unit),)
            )
    folders = [volume.path for volume in ready if volume.disk is None]
    if folders:
        text = _FOLDERS.format(folders=" ".join(folders))
        file = File(f"/etc/systemd/system/{FOLDERS_UNIT}", text, restart=(FOLDERS_UNIT,))
        state += HostState(files=(file,), units=(SystemdUnit(FOLDERS_UNIT),))
    return state


def escaped(path: str) -> str:
    """Return a path as systemd names the unit of its mount; only letters, digits, `-`, `.`, `_` and `/` are known."""
    return path.strip("/").replace("-", "\\x2d").replace("/", "-")


def _format(host: Host, volume: Volume, folder: str) -> None:
    from remote.shell import run

    call = shlex.join(("mf_format", f"{folder}/{_id(volume)}", volume.label))
    script = f"{functions()}\n{call}\n"
    run(host, ("sh", "-s"), stdin=script.encode(), root=True, timeout=_FORMAT_SECONDS).check(host)
    (seen,) = observe(host, [_id(volume)], folder)
    if judge(volume, seen) != "ready":
        raise HostError(host.name, f"{_id(volume)} carries no file system of ours after it was made", "look at dmesg")


def _refusal(volume: Volume, facts: DiskFacts, verdict: str) -> str:
    if verdict == "missing":
        return f"{_id(volume)}: no such disk; compare `ls {BY_ID}` with hosts.yaml"
    if verdict == "wrong-size":
        return f"{_id(volume)} ({facts.device}): has {facts.size / 2**30:.0f} GiB, hosts.yaml says {volume.gib}"
    return f"{_id(volume)} ({facts.device}): is not empty: {'; '.join(facts.reasons)}"


def _id(volume: Volume) -> str:
    return volume.disk.id if volume.disk is not None else ""


_MOUNT = """[Unit]
Description=Volume {name} of matrix-fleet
Before=kubelet.service

[Mount]
What={what}
Where={where}
Type=ext4
Options=noatime

[Install]
WantedBy=multi-user.target
"""
_FOLDERS = """[Unit]
Description=Folders that pods get as volumes
Before=kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/install -d -m 0755 {folders}

[Install]
WantedBy=multi-user.target
"""
