"""Changes of hardware and disks."""

from __future__ import annotations

from tests.checks.changes import Case, Sections, put


def slow_links(sections: Sections) -> None:
    """Make every link one of 100 Mbit/s."""
    for link in sections["hardware"]["links"]:
        link[3] = 100


CASES = (
    Case(
        "disks/space",
        "w-1",
        lambda sections: sections["disks"]["filesystems"].append(["/srv", "ext4", "/dev/b", 1000, 1, 999, 10, 5]),
        "/srv has",
    ),
    Case(
        "disks/space",
        "w-1",
        lambda sections: sections["disks"]["filesystems"].append(["/srv", "ext4", "/dev/b", 1000, 900, 100, 1000, 5]),
        "inodes",
    ),
    Case("hardware/size", "w-1", put("hardware", "cpus", to=0), "has 0 CPU"),
    Case("hardware/size", "w-1", put("hardware", "memory_kib", to=2**18), "0.2 GiB of memory"),
    Case(
        "hardware/links",
        "w-1",
        slow_links,
        "100 Mbit/s",
    ),
    Case("hardware/links", "w-1", put("hardware", "addresses", to="[]"), "does not have 10.20.1.21"),
)
