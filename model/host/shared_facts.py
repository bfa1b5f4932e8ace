"""Facts that both looks at a host tell alike: the shell's before bootstrap, and the collector's after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from model.base import Address
from model.host.dns_wire import DnsAnswer


@dataclass(frozen=True, slots=True)
class OsRelease:
    """What /etc/os-release says, by its names."""

    words: Mapping[str, str]

    @property
    def debian(self) -> bool:
        """True for Debian itself, not what derives from it."""
        return self.words.get("ID") == "debian"

    @property
    def name(self) -> str:
        """What the system calls itself."""
        return self.words.get("PRETTY_NAME") or "an unknown system"

    @property
    def suite(self) -> str:
        """Debian's name of the release, such as bookworm; empty where it does not tell."""
        return self.words.get("VERSION_CODENAME", "")


@dataclass(frozen=True, slots=True)
class Capacity:
    """Processors, and memory in KiB."""

    cpus: int
    memory: int


@dataclass(frozen=True, slots=True)
class Swap:
    """A swap area in use, sizes in KiB."""

    name: str
    size: int
    used: int

    @property
    def zram(self) -> bool:
        """True for compressed memory that a generator sets up at boot."""
        return self.name.startswith("/dev/zram")


@dataclass(frozen=True, slots=True)
class Swaps:
    """Active swap, and what /etc/fstab would swap on."""

    active: tuple[Swap, ...]
    configured: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """A disk: `size` in bytes, `ids` its stable names under /dev/disk/by-id."""

    name: str
    size: int
    rotational: bool
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A network interface. `speed` in Mbit/s, 0 where it does not tell; `virtual` has no hardware of its own."""

    name: str
    mac: str
    mtu: int
    speed: int
    up: bool
    virtual: bool
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Package:
    """A Debian package: the three letters dpkg gives it, and its version."""

    state: str
    version: str

    @property
    def installed(self) -> bool:
        """True when it is there whole."""
        return self.state[1:2] == "i"

    @property
    def held(self) -> bool:
        """True when somebody forbade to change it."""
        return self.state[:1] == "h"

    @property
    def broken(self) -> bool:
        """True when its installation was begun and not finished."""
        return self.state[1:2] not in ("i", "c", "n") or self.state[2:3].strip() != ""


@dataclass(frozen=True, slots=True)
class Packages:
    """Debian packages by name."""

    known: Mapping[str, Package]


@dataclass(frozen=True, slots=True)
class Names:
    """Answers by name server; `why` one gave none, where that is known. A server that is in neither gave none."""

    answers: Mapping[str, tuple[DnsAnswer, ...]]
    why: Mapping[str, str] = field(default_factory=dict)
