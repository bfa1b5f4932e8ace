"""A host's system, hardware, identity and software."""

from __future__ import annotations

from collections.abc import Mapping

from model.host.machine_facts import Filesystem, Hardware, Identity, Software, System, Unit
from model.host.shared_facts import BlockDevice, Capacity, OsRelease, Package, Packages, Swap, Swaps
from remote.facts import packaging
from remote.facts.sections import MISSING, assignments

_SECTOR = 512


def system(sections: Mapping[str, str]) -> System:
    """
    Read the sections about the operating system; raises ValueError or KeyError for what is not there or not understood.
    """
    kinds = sections["cgroup"].split()
    cloud = (line.partition(":") for line in sections["cloud-init"].splitlines() if line.strip())
    return System(
        release=OsRelease(assignments(sections["os-release"])),
        kernel=_word(sections, "kernel"),
        architecture=_word(sections, "architecture"),
        systemd=int(sections["systemd"].strip() or 0),
        modules=frozenset(sections["modules"].split()),
        config=dict(_pair(line) for line in sections["config"].splitlines() if line.strip()),
        cgroup="v2" if kinds[:1] == ["cgroup2fs"] else "hybrid" if "cgroup2fs" in kinds else "v1",
        controllers=frozenset(sections["controllers"].split()),
        apparmor=sections["apparmor"].strip() == "Y",
        reboot_required="required" in sections["reboot"],
        cloud_init={key.strip(): value.strip() for key, _, value in cloud},
        programs=frozenset(sections["programs"].split()),
    )


def hardware(sections: Mapping[str, str]) -> Hardware:
    """Read the sections about processors, memory, swap and disks; raises as `system` does."""
    memory = dict(_pair(line) for line in sections["memory"].splitlines() if line.strip())
    ids: dict[str, list[str]] = {}
    for line in sections["disk-ids"].splitlines():
        if line.strip():
            name, device = _pair(line)
            ids.setdefault(device, []).append(name)
    disks = [line.split() for line in sections["disks"].splitlines() if line.strip()]
    return Hardware(
        capacity=Capacity(int(sections["cpus"]), int(memory["MemTotal"])),
        available=int(memory["MemAvailable"]),
        swaps=Swaps(
            tuple(_swap(line) for line in sections["swaps"].splitlines() if line.strip()),
            tuple(sections["fstab"].split()),
        ),
        filesystems=dict(_filesystem(line) for line in sections["filesystems"].splitlines() if line.strip()),
        disks=tuple(
            BlockDevice(name, int(sectors) * _SECTOR, rotational == "1", tuple(ids.get(name, ())))
            for name, sectors, rotational in disks
        ),
    )


def identity(sections: Mapping[str, str]) -> Identity:
    """Read what tells the host from others; raises as `system` does."""
    return Identity(
        _word(sections, "hostname"), sections["machine-id"].strip(), sections["product-uuid"].strip().lower()
    )


def software(sections: Mapping[str, str]) -> Software:
    """
    Read the sections about packages, units and what was here before; raises as `system` does, and for a dpkg that knows
    no package at all.
    """
    packages = dict(_package(line) for line in sections["packages"].splitlines() if line.strip())
    if not packages:
        raise ValueError("dpkg tells of no package")
    journal, complaint = packaging.read(sections)
    return Software(
        packages=Packages(packages),
        units=dict(_units(sections["units"])),
        units_unseen=_unseen(sections["end of units"].strip()),
        locks=tuple(sections["locks"].split()),
        archives=tuple(line.strip() for line in sections["archives"].splitlines() if line.strip()),
        remains=tuple(line for line in sections["remains"].splitlines() if line.strip()),
        server=sections["server"].strip(),
        prepared="yes" in sections["prepared"],
        node=sections["node"].strip(),
        journal=journal,
        apt=complaint,
    )


def _unseen(code: str) -> str:
    if code == "0":
        return ""
    return "it has no systemctl" if code == MISSING else f"`systemctl show` ended with {code}"


def _word(sections: Mapping[str, str], section: str) -> str:
    word = sections[section].strip()
    if not word:
        raise ValueError(f"it tells no {section}")
    return word


def _pair(line: str) -> tuple[str, str]:
    first, second = line.split()
    return first, second


def _swap(line: str) -> Swap:
    name, _kind, size, used, _priority = line.split()
    return Swap(name, int(size), int(used))


def _filesystem(line: str) -> tuple[str, Filesystem]:
    path, kind, size, free, inodes, inodes_free, source, mount = line.split(None, 7)
    # Some file systems make inodes as they need them and tell `-` or 0.
    numbers = [int(word) if word != "-" else 0 for word in (size, free, inodes, inodes_free)]
    return path, Filesystem(
        kind=kind,
        size=numbers[0],
        free=numbers[1],
        inodes=numbers[2],
        inodes_free=numbers[3],
        source=source,
        mount=mount,
    )


def _package(line: str) -> tuple[str, Package]:
    state, name, version = line.split("|")
    return name, Package(state, version)


def _units(text: str) -> list[tuple[str, Unit]]:
    units = []
    for block in text.strip().split("\n\n"):
        properties = dict(line.split("=", 1) for line in block.splitlines() if line)
        if properties.get("LoadState", "not-found") != "not-found":
            name = properties["Id"].removesuffix(".service")
            units.append((name, Unit(properties["ActiveState"], properties.get("UnitFileState", ""))))
    return units
