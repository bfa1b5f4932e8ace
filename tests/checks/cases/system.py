"""Changes of the release, the clock and swap."""

from __future__ import annotations

from tests.checks.changes import Case, both, put, text

CASES = (
    Case(
        "os/release",
        "w-1",
        text("release", "VERSION_CODENAME=bookworm", "VERSION_CODENAME=buster", "os_release"),
        "known are Debian",
    ),
    Case(
        "os/release",
        "w-1",
        text("release", "VERSION_CODENAME=bookworm", "VERSION_CODENAME=bullseye", "os_release"),
        "no security updates since",
    ),
    Case("time/synchronised", "db-1", text("clock", "Normal", "Not synchronised", "tracking"), "follows none"),
    Case(
        "time/synchronised",
        "db-1",
        both(put("clock", "tracking", to=None), put("clock", "why", to="506 Cannot talk to daemon")),
        "506",
    ),
    Case("time/synchronised", "db-1", put("clock", "sources", to="^,*,192.0.2.9,1,6,377,1,0,0,0\n"), "192.0.2.9"),
    Case(
        "time/synchronised",
        "db-1",
        lambda sections: sections["clock"].update(now=sections["clock"]["now"] + 9000),
        "minutes ago",
    ),
    Case("swap/off", "cp-1", put("swaps", "active", to=["/dev/sda2 partition 1048576 0 -2"]), "/dev/sda2 (1.0 GiB)"),
    Case("swap/off", "cp-1", put("swaps", "configured", to=["/dev/sda2"]), "next boot"),
)
