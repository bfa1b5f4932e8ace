"""How large is the host, how full are its disks, does it swap, how fast are its links?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from remote.collector.program.ask import matching, output, text, word

Wishes = dict[str, Any]
# What holds no data of its own, and what container runtimes mount for each container.
_PSEUDO = (
    *(
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "fuse.lxcfs",
    ),
    *(
        "fusectl",
        "hugetlbfs",
        "iso9660",
        "mqueue",
        "nsfs",
        "proc",
        "pstore",
        "ramfs",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
    ),
    *("squashfs", "sysfs", "tracefs"),
)
_CONTAINERS = (
    "/run/containerd/",
    "/var/lib/kubelet/pods/",
    "/run/netns/",
    "/var/lib/containerd/",
    "/proc/",
    "/sys/",
    "/run/credentials/",
)
_NO_DISKS = ("loop", "ram", "zram", "sr")


def disks(_wishes: Wishes) -> Any:
    """Return every mounted file system once, and every disk with its stable names."""
    mounts: dict[int, list[Any]] = {}
    for line in (text("/proc/self/mounts") or "").splitlines():
        source, place, kind, options = line.split()[:4]
        place = place.encode().decode("unicode_escape")
        if kind in _PSEUDO or place.startswith(_CONTAINERS) or "ro" in options.split(","):
            continue
        try:
            device, said = Path(place).stat().st_dev, os.statvfs(place)
        except OSError:
            # Another mount lies over it.
            continue
        sizes = [
            said.f_blocks * said.f_frsize,
            said.f_bavail * said.f_frsize,
            (said.f_blocks - said.f_bfree) * said.f_frsize,
        ]
        mounts.setdefault(device, [place, kind, source, *sizes, said.f_files, said.f_favail])
    links = [(link.name, link.resolve().name) for link in matching("/dev/disk/by-id", "*") if link.is_symlink()]
    blocks = [
        [disk.name, int(word(disk / "size") or 0) * 512, word(disk / "queue/rotational") == "1"]
        for disk in matching("/sys/block", "*")
        if not disk.name.startswith(_NO_DISKS)
    ]
    return {"filesystems": list(mounts.values()), "disks": blocks, "ids": links}


def hardware(_wishes: Wishes) -> Any:
    """Return processors, memory in KiB, and links with their addresses."""
    memory = {
        line.partition(":")[0]: int(line.split()[1])
        for line in (text("/proc/meminfo") or "").splitlines()
        if ":" in line
    }
    links = [_link(link) for link in matching("/sys/class/net", "*") if (link / "address").exists()]
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "memory_kib": memory["MemTotal"],
        "available_kib": memory["MemAvailable"],
        "links": links,
        "addresses": output("ip", "-j", "addr"),
        "machine_id": word("/etc/machine-id"),
    }


def _link(link: Path) -> list[Any]:
    numbers = (int(word(link / "mtu") or 0), int(word(link / "speed") or 0))
    return [link.name, word(link / "address"), *numbers, word(link / "operstate"), (link / "device").exists()]


def swaps(_wishes: Wishes) -> Any:
    """Return active swap, and what /etc/fstab would swap on."""
    rows = (line.split() for line in (text("/etc/fstab") or "").splitlines() if line.strip() and line[:1] != "#")
    return {
        "active": (text("/proc/swaps") or "").splitlines()[1:],
        "configured": [row[0] for row in rows if len(row) > 2 and row[2] == "swap"],
    }
