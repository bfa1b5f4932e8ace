"""
What is known of a host after one look: its system, hardware, networks, clock, packages, and what runs or once ran
there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from model.base import Address
from model.host.shared_facts import BlockDevice, Capacity, Link, Names, OsRelease, Packages, Swaps
from model.packets.sockets import Listener
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
class Unit:
    """A systemd unit that exists: `active` and `enabled` in systemd's words."""

    active: str
    enabled: str


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

    release: OsRelease
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
        return self.release.suite


@dataclass(frozen=True, slots=True)
class Hardware:
    """Sizes in KiB; `filesystems` by the path that was asked for."""

    capacity: Capacity
    available: int
    swaps: Swaps
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

    `units_unseen` is why systemd tells of none (empty: it does).
    `journal` are steps that dpkg began and never finished, `apt` is what apt complains of (empty: of nothing).
    `remains` are paths of a Kubernetes node, `server` is the API of its cluster. `prepared` hosts were set up by this
    project, and `node` is the mark that its own steps into a cluster leave (`started join`, `done init`); empty: none.
    """

    packages: Packages
    units: Mapping[str, Unit]
    locks: tuple[str, ...]
    archives: tuple[str, ...]
    remains: tuple[str, ...]
    server: str = ""
    prepared: bool = False
    node: str = ""
    journal: tuple[str, ...] = ()
    apt: str = ""
    units_unseen: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Answers to the questions."""

    names: Names = field(default_factory=lambda: Names({}))
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
