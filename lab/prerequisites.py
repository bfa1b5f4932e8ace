"""Does this machine have what the lab needs?"""

from __future__ import annotations

import os
import shutil

from lab.commands import environment
from lab.errors import LabError

_PACKAGES = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "iptables-nft": "iptables",
    "nft": "nftables",
    "dpkg-scanpackages": "dpkg-dev",
    "ssh-keygen": "openssh-client",
    "sysctl": "procps",
    "nsenter": "util-linux",
    "mount": "mount",
}


def check() -> None:
    """Raise LabError when this is not root, or with the apt-get line for the packages that are missing."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes network namespaces, mounts and containers")
    missing = absent(environment()["PATH"])
    if missing:
        raise LabError(f"Debian packages are missing on this machine: apt-get install -y {' '.join(missing)}")


def absent(path: str) -> tuple[str, ...]:
    """Return the Debian packages whose programs are not found on the search path."""
    return tuple(
        sorted({package for program, package in _PACKAGES.items() if shutil.which(program, path=path) is None})
    )
