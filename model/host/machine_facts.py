"""
What is known of a host after one look: its system, hardware, networks, clock, packages, and what runs or once ran
there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from model.base import Address
from model.host.dns_wire import DnsAnswer
from model.host.hostview import Listener
from model.ufw.foreign_rules import Rulesets


@dataclass(frozen=True, slots=True)
class Questions:
    """
    What a host is asked besides what it is.

    `dns`: (server, names) to be resolved there for both families; no server means those of the host's own resolver.
    `connects`: (address or name, TCP port). `paths`: addresses to which its largest packets are sent.
    """

    dns: tuple[tuple[Address | None, tuple[str, ...]], ...] = ()
    connects: tuple[tuple[str, int], ...] = ()
    paths: tuple[Address, ...] = ()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Filesystem:
    """Where a path lies: sizes in KiB, `source` and `mount` as `df` names them."""

    kind: str
    size: int
    free: int
    inodes: int
    inodes_free: int
    source: str
    mount: str


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
class Unit:
    """A systemd unit that exists: `active` and `enabled` in systemd's words."""

    active: str
    enabled: str


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
class Connect:
    """
    What came of a TCP connection: `open`, `refused`, `silent`, or why there was none.

    `neighbour` is the hardware address that answered for the address on the same network, empty where nobody did.
    """

    result: str
    neighbour: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """Whether an address answered a small packet, and one that fills the interface's MTU and may not be cut."""

    mtu: int
    small: bool
    large: bool


@dataclass(frozen=True, slots=True)
class System:
    """
    The operating system. `config` are chosen options of the kernel (`VXLAN`: y or m), `modules` those loaded or
    loadable.
    """

    release: Mapping[str, str]
    kernel: str
    architecture: str
    systemd: int
    modules: frozenset[str]
    config: Mapping[str, str]
    cgroup: str
    controllers: frozenset[str]
    apparmor: bool
    reboot_required: bool
    cloud_init: Mapping[str, str]
    programs: frozenset[str]

    @property
    def suite(self) -> str:
        """Debian's name of the release, such as bookworm; empty where it does not tell."""
        return self.release.get("VERSION_CODENAME", "")


@dataclass(frozen=True, slots=True)
class Hardware:
    """Sizes in KiB; `filesystems` by the path that was asked for."""

    cpus: int
    memory: int
    available: int
    swaps: tuple[Swap, ...]
    fstab_swaps: tuple[str, ...]
    filesystems: Mapping[str, Filesystem]
    disks: tuple[BlockDevice, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells a host from every other one; empty where it has none."""

    hostname: str
    machine_id: str
    product_uuid: str


@dataclass(frozen=True, slots=True)
class Clock:
    """
    How far the host's clock is ahead of the controller's, in seconds: at least and at most, as the round trip allows.

    `synchronised` None where nobody there can tell.
    """

    least: float
    most: float
    synchronised: bool | None = None


@dataclass(frozen=True, slots=True)
class Networking:
    """Interfaces, the IP versions that have a default route, name servers of its own, listeners and rules."""

    links: tuple[Link, ...]
    default_routes: frozenset[int]
    resolvers: tuple[str, ...]
    listeners: tuple[Listener, ...]
    rulesets: Rulesets

    @property
    def addresses(self) -> dict[Address, Link]:
        """Every address with the interface that holds it."""
        return {address: link for link in self.links for address in link.addresses}


@dataclass(frozen=True, slots=True)
class Software:
    """
    Debian packages, units that exist by name, who holds apt's locks, and the archives it uses.

    `remains` are paths of a Kubernetes node, `server` is the API of its cluster. `prepared` hosts were set up by this
    project, and `node` is the mark that its own steps into a cluster leave (`started join`, `done init`); empty: none.
    """

    packages: Mapping[str, Package]
    units: Mapping[str, Unit]
    locks: tuple[str, ...]
    archives: tuple[str, ...]
    remains: tuple[str, ...]
    server: str = ""
    prepared: bool = False
    node: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Answers to the questions. A name server that is absent from `dns` gave none."""

    dns: Mapping[str, tuple[DnsAnswer, ...]] = field(default_factory=dict)
    connects: Mapping[tuple[str, int], Connect] = field(default_factory=dict)
    paths: Mapping[Address, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """A host as seen at one moment."""

    system: System
    hardware: Hardware
    identity: Identity
    clock: Clock
    network: Networking
    software: Software
    asked: Asked

    @property
    def ours(self) -> bool:
        """True for a host that this project made a node of, or began to."""
        return bool(self.software.node)

    def running(self, unit: str) -> bool:
        """Return whether a systemd unit runs."""
        known = self.software.units.get(unit)
        return known is not None and known.active in ("active", "activating", "reloading")
