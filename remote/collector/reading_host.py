"""The collector's words on a host's system, software and hardware, as types."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Any

from model.host.certificate_chain import read_chain
from model.host.host_facts import (
    Account,
    AtBoot,
    Boot,
    CertificateFiles,
    Clocked,
    Disks,
    Kernel,
    Machinery,
    Mount,
    Placed,
    Release,
    Scheduled,
    Sshd,
    Units,
    UnitSeen,
    Updates,
    Users,
)
from model.host.shared_facts import BlockDevice, Capacity, Link, OsRelease, Package, Packages, Swap, Swaps
from model.packets.sockets import parse_addresses

Sections = Mapping[str, Any]


def release(sections: Sections) -> Release:
    """Read the operating system."""
    section = sections["release"]
    pairs = (line.partition("=") for line in section["os_release"].splitlines() if "=" in line and line[:1] != "#")
    words = {key: value.strip().strip("\"'") for key, _, value in pairs}
    return Release(
        os=OsRelease(words),
        kernel=section["kernel"],
        hostname=section["hostname"],
        prepared=section["prepared"] is True,
        node=section["node"],
        kubelet=section["kubelet"] is True,
    )


def boot(sections: Sections) -> Boot:
    """Read what says that a reboot is due."""
    section = sections["boot"]
    return Boot(
        section["running"],
        tuple(section["kernels"]),
        section["required"] is True,
        tuple(section["packages"]),
        float(section["up_seconds"]),
    )


def kernel(sections: Sections) -> Kernel:
    """Read settings and modules."""
    values = {name: None if value is None else " ".join(value.split()) for name, value in sections["sysctl"].items()}
    return Kernel(values, frozenset(sections["modules"]))


def at_boot(sections: Sections) -> AtBoot:
    """Read the files that boot reads; of modules-load.d(5) each line is a name."""
    section = sections["at_boot"]
    lines = (line.strip() for _, text in section["modules"] for line in text.splitlines())
    named = {line.replace("-", "_") for line in lines if line and line[0] not in "#;"}
    return AtBoot(tuple((path, text) for path, text in section["sysctl"]), frozenset(named | set(section["builtin"])))


def units(sections: Sections) -> Units:
    """Read `systemctl show`: one paragraph a unit, in the order asked, for an alias shows another name."""
    section = sections["units"]
    paragraphs = [part for part in section["known"].strip().split("\n\n") if part.strip()]
    shown = [dict(line.split("=", 1) for line in part.splitlines() if "=" in line) for part in paragraphs]
    if len(shown) != len(section["asked"]):
        raise ValueError(f"{len(section['asked'])} units were asked for, {len(shown)} were answered for")
    known = {
        name: UnitSeen(unit["LoadState"], unit["ActiveState"], unit["SubState"], unit["UnitFileState"])
        for name, unit in zip(section["asked"], shown, strict=True)
    }
    return Units(known, tuple(section["failed"]))


def packages(sections: Sections) -> Packages:
    """Read dpkg's list."""
    rows = (line.split("|") for line in sections["packages"].splitlines() if line.strip())
    return Packages({name: Package(state, version) for state, name, version in rows})


def updates(sections: Sections) -> Updates:
    """Read what security archives offer."""
    section = sections["updates"]
    offered = {name: tuple(versions) for name, versions in section["offered"].items()}
    return Updates(tuple(section["lists"]), section["age_seconds"], offered, tuple(section["archives"]))


def users(sections: Sections) -> Users:
    """Read accounts and sudo's rules."""
    section = sections["users"]
    return Users(
        tuple(Account(name, uid, gid, shell) for name, uid, gid, shell in section["accounts"]),
        {name: (gid, tuple(members)) for name, gid, members in section["groups"]},
        dict(section["sudoers"]),
        section["sudo"] is True,
    )


def scheduled(sections: Sections) -> Scheduled:
    """Read what lies where the scheduled identity's files are."""
    section = sections["scheduled"].items()
    return Scheduled(
        {path: None if seen is None else Placed(str(seen[0]), *map(int, seen[1:])) for path, seen in section}
    )


def sshd(sections: Sections) -> Sshd:
    """Read `sshd -T`; of a setting that is said several times the first line counts."""
    settings: dict[str, dict[str, str]] = {}
    for user, text in sections["sshd"].items():
        settings[user] = {}
        for line in text.splitlines():
            key, _, value = line.partition(" ")
            settings[user].setdefault(key.lower(), value.strip().lower())
    return Sshd(settings)


def clock(sections: Sections) -> Clocked:
    """Read `chronyc -c tracking` and `chronyc -c sources`."""
    section = sections["clock"]
    row = next(csv.reader([section["tracking"].strip()]), []) if section["tracking"] else []
    sources = [line for line in csv.reader((section["sources"] or "").splitlines()) if line]
    return Clocked(
        chrony=section["chrony"] is True,
        leap=row[13] if row else "",
        source=row[1] if row else "",
        offset=float(row[4]) if row else 0.0,
        since=float(section["now"]) - float(row[3]) if row else 0.0,
        sources=tuple((row[2], row[1], int(row[5], 8)) for row in sources),
        why=section["why"],
        timesyncd=section["timesyncd"] is True,
    )


def disks(sections: Sections) -> Disks:
    """Read file systems and disks."""
    section = sections["disks"]
    ids: dict[str, list[str]] = {}
    for name, device in section["ids"]:
        ids.setdefault(device, []).append(name)
    mounts = tuple(
        Mount(place=place, kind=kind, size=size, free=free, used=used, inodes=inodes, inodes_free=inodes_free)
        for place, kind, _source, size, free, used, inodes, inodes_free in section["filesystems"]
    )
    devices = (BlockDevice(name, size, spins, tuple(ids.get(name, ()))) for name, size, spins in section["disks"])
    return Disks(mounts, tuple(devices))


def machinery(sections: Sections) -> Machinery:
    """Read processors, memory and links."""
    section = sections["hardware"]
    held = parse_addresses(section["addresses"])
    links = []
    for name, mac, mtu, speed, state, hardware in section["links"]:
        own = tuple(address for interface, address in held if interface == name)
        links.append(
            Link(
                name=name,
                mac=mac,
                mtu=mtu,
                speed=max(0, speed),
                up=state in ("up", "unknown"),
                virtual=not hardware,
                addresses=own,
            )
        )
    return Machinery(Capacity(section["cpus"], section["memory_kib"]), tuple(links))


def swaps(sections: Sections) -> Swaps:
    """Read /proc/swaps and /etc/fstab."""
    rows = [line.split() for line in sections["swaps"]["active"] if line.strip()]
    active = tuple(Swap(row[0], int(row[2]), int(row[3])) for row in rows)
    return Swaps(active, tuple(sections["swaps"]["configured"]))


def certificates(sections: Sections) -> CertificateFiles:
    """Read certificates by file; a file without any is left out."""
    return CertificateFiles({path: read_chain(parts) for path, parts in sections["certificates"].items() if parts})
