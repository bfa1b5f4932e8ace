"""What a host should hold: packages, files, units, kernel settings, accounts, folders."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

# A service that is just reading its configuration anew runs.
RUNNING = ("active", "reloading", "refreshing")


@dataclass(frozen=True, slots=True)
class File:
    """
    One file, whole.

    `restart` names units that must take note of a change by a restart, `reload` those a reload suffices for. The text
    of a `secret` one is never read back nor shown; its digest is compared. That of an `opaque` one is not shown either,
    since a diff of it would say nothing; its digest is. A `block` is only a part of the file, between two marks of
    ours: what others wrote around it stays.
    """

    path: str
    text: str
    mode: int = 0o644
    owner: str = "root:root"
    secret: bool = False
    restart: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    block: bool = False
    opaque: bool = False

    @property
    def sha256(self) -> str:
        """Digest of its content, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SystemdUnit:
    """A systemd unit: whether it starts at boot and whether it runs now; None leaves that alone."""

    name: str
    enabled: bool | None = True
    active: bool | None = True


@dataclass(frozen=True, slots=True)
class User:
    """A system account with a group of its own, in no other group, that no password opens."""

    name: str
    home: str
    shell: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with its mode and owner; what lies in it is nobody's business."""

    path: str
    mode: int = 0o755
    owner: str = "root:root"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """
    What a host should hold. `packages` are Debian packages by name, `versions` the first numbers that the version of
    some must have, `absent` paths that must not exist, `swept` shell patterns of which only what is among `files` may
    be ours, `sysctl` values of the running kernel by dotted name (a file makes them last), `modules` kernel modules
    loaded or built in, `held` packages kept at their version, `userless` accounts that must not exist. `swapless`: no
    swap now, nor after a reboot.
    """

    packages: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    files: tuple[File, ...] = ()
    absent: tuple[str, ...] = ()
    swept: tuple[str, ...] = ()
    units: tuple[SystemdUnit, ...] = ()
    sysctl: Mapping[str, str] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    swapless: bool = False
    users: tuple[User, ...] = ()
    userless: tuple[str, ...] = ()
    folders: tuple[Folder, ...] = ()

    def __add__(self, other: HostState) -> HostState:
        """Join two states that do not speak of the same thing."""
        return HostState(
            packages=self.packages + other.packages,
            versions={**self.versions, **other.versions},
            files=self.files + other.files,
            absent=self.absent + other.absent,
            swept=self.swept + other.swept,
            units=self.units + other.units,
            sysctl={**self.sysctl, **other.sysctl},
            modules=self.modules + other.modules,
            held=self.held + other.held,
            swapless=self.swapless or other.swapless,
            users=self.users + other.users,
            userless=self.userless + other.userless,
            folders=self.folders + other.folders,
        )
