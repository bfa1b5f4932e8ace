"""What a test without the mark `machine` may not do in its own process: start such a program, leave loopback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

# Programs that change the machine, or are no part of a plain Debian.
PROGRAMS = frozenset(
    {
        *(
            "ip",
            "nft",
            "iptables-restore",
            "ip6tables-restore",
            "ufw",
            "sysctl",
            "nsenter",
            "unshare",
            "mount",
            "losetup",
        ),
        *("apt-get", "apt-cache", "apt", "dpkg-scanpackages", "gpg"),
        *("sshd", "sudo", "systemctl", "systemd-run", "systemd-nspawn", "debootstrap", "promtool", "haproxy"),
        *("redis-server", "redis-cli", "nginx", "docker-registry"),
    }
)
_refusing = False


class NotHermeticError(AssertionError):
    """The test needs the mark `machine`, or to do without this."""


@contextmanager
def refusing(active: bool) -> Iterator[None]:
    """Refuse inside the block, if `active`."""
    global _refusing
    before, _refusing = _refusing, active
    try:
        yield
    finally:
        _refusing = before


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _refusing:
        return
    if event == "subprocess.Popen" and (program := _refused(arguments[0], arguments[1])):
        raise NotHermeticError(f"starts `{program}`: mark the test `machine`, or let it ask for `real_machine`")
    if event == "socket.connect" and isinstance(arguments[1], tuple) and not _local(arguments[1][0]):
        raise NotHermeticError(f"connects to {arguments[1][0]}: no test goes further than loopback")


def _refused(executable: Any, argv: Any) -> str:
    words = [os.fsdecode(word) for word in ((argv,) if isinstance(argv, (str, bytes)) else argv)]
    name = Path(os.fsdecode(executable) if executable else words[0]).name
    if name in PROGRAMS:
        return name
    return "python -m lab" if words[1:3] == ["-m", "lab"] else ""


def _local(host: str) -> bool:
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


# An audit hook stays for the whole life of its process.
sys.addaudithook(_audit)
