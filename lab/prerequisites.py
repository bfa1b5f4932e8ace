"""What the lab needs of this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from types import MappingProxyType

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


# What compiles C needs, on top: a bundle is built, a lab is not.
_COMPILER = {"gcc": "gcc"}


def check(compiler: bool = False) -> None:
    """Raise LabError when this is not root, or with the apt-get line for the packages that are missing."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes network namespaces, mounts and containers")
    missing = absent(environment()["PATH"], _COMPILER if compiler else {})
    if missing:
        raise LabError(f"Debian packages are missing on this machine: apt-get install -y {' '.join(missing)}")


def absent(path: str, more: Mapping[str, str] = MappingProxyType({})) -> tuple[str, ...]:
    """
    Return the Debian packages whose programs are not found on the search path; `more` are further programs to look for.
    """
    wanted = {**_PACKAGES, **more}
    return tuple(sorted({package for program, package in wanted.items() if shutil.which(program, path=path) is None}))
