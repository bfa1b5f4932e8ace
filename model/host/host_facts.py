"""What compliance knows of a host after one look: parts that were read, and why others could not be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from model.base import Address
from model.host.certificate_chain import Chain
from model.host.shared_facts import BlockDevice, Capacity, Link, Names, OsRelease
from model.ufw.foreign_rules import Rulesets

T = TypeVar("T")


class Unseen(Exception):
    """A part of a host that a check needs and that could not be read; the text says why."""


@dataclass(frozen=True)
class HostFacts:
    """
    A host as seen at one moment: parts by their type, and reasons for those that could not be read.

    `at` is the controller's time (seconds since the epoch) at which the answer came, `seconds` how long the host
    looked.
    """

    host: str
    at: float
    parts: Mapping[type, object]
    unseen: Mapping[type, str] = field(default_factory=dict)
    seconds: float = 0.0

    def of(self, kind: type[T]) -> T:
        """Return a part; raises Unseen where it could not be read."""
        part = self.parts.get(kind)
        if not isinstance(part, kind):
            raise Unseen(self.unseen.get(kind, f"nothing was said of its {kind.__name__.lower()}"))
        return part


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """
    The operating system: its release, the kernel that runs.

    `prepared`: this project's phase for the operating system was there; `node` is the mark that its steps into a
    cluster leave; `kubelet`: kubelet has a kubeconfig.
    """

    os: OsRelease
    kernel: str
    hostname: str
    prepared: bool
    node: str
    kubelet: bool

    @property
    def suite(self) -> str:
        """Debian's name of the release, such as bookworm; empty where it does not tell."""
        return self.os.suite

    @property
    def member(self) -> bool:
        """True for a host that is a node of this project's cluster."""
        return self.node.startswith("done") and self.kubelet


@dataclass(frozen=True, slots=True)
class Boot:
    """The kernel that runs and those in /boot; whether a package asks for a reboot, and which."""

    running: str
    kernels: tuple[str, ...]
    required: bool
    packages: tuple[str, ...]
    up_seconds: float


@dataclass(frozen=True, slots=True)
class Kernel:
    """
    Values of the settings that were asked for (None: this kernel has no such setting), and modules loaded or built in.
    """

    values: Mapping[str, str | None]
    modules: frozenset[str]


@dataclass(frozen=True, slots=True)
class AtBoot:
    """
    What the next boot reads: files (path, text) of settings in their order, and names of modules that are loaded then
    or built in.
    """

    sysctl: tuple[tuple[str, str], ...]
    modules: frozenset[str]


@dataclass(frozen=True, slots=True)
class UnitSeen:
    """A systemd unit, in systemd's words; `loaded` is not-found for one that does not exist."""

    loaded: str
    active: str
    sub: str
    enabled: str


@dataclass(frozen=True, slots=True)
class Units:
    """The units asked for, by name, and names of all that failed."""

    known: Mapping[str, UnitSeen]
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Updates:
    """
    What the lists of security archives offer: versions by installed package, and the age of the newest list in seconds.

    `lists` is empty where the host knows no security archive; `archives` are its sources.
    """

    lists: tuple[str, ...]
    age: float | None
    offered: Mapping[str, tuple[str, ...]]
    archives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Firewall:
    """ufw's files by path, whether it starts at boot, and whether the kernel has IPv6."""

    installed: bool
    files: Mapping[str, str]
    enabled: bool
    ipv6: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """
    The kernel's rules: `iptables-save` by IP version, others' rules that decide beside ufw, a line each, `nft -j list
    ruleset`, and what the older iptables saves.
    """

    saved: Mapping[int, str]
    deciding: tuple[str, ...]
    nft: str = ""
    legacy: Mapping[int, str] = field(default_factory=dict)

    @property
    def rulesets(self) -> Rulesets:
        """All of them as they were printed."""
        return Rulesets(self.saved, self.legacy, self.nft)


@dataclass(frozen=True, slots=True)
class Socket:
    """A listening TCP or bound UDP socket with all processes that hold it."""

    protocol: str
    address: Address
    port: int
    processes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sockets:
    """Every listening socket."""

    known: tuple[Socket, ...]


@dataclass(frozen=True, slots=True)
class Clocked:
    """
    What keeps the clock. `leap`, `source`, `offset` (seconds) and `since` (seconds since the last measurement) are
    chronyd's; `leap` empty where it does not run. `sources`: (address, state as chronyc marks it, reachability
    register).
    """

    chrony: bool
    leap: str
    source: str
    offset: float
    since: float
    sources: tuple[tuple[str, str, int], ...]
    why: str
    timesyncd: bool

    @property
    def synchronised(self) -> bool | None:
        """Whether the clock follows another one; None where nobody can tell, as a chronyd that does not answer."""
        if self.chrony:
            return self.leap == "Normal" if self.leap else None
        return True if self.timesyncd else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A mounted file system, sizes in bytes; without inodes of a fixed number `inodes` is 0."""

    place: str
    kind: str
    size: int
    free: int
    used: int
    inodes: int
    inodes_free: int


@dataclass(frozen=True, slots=True)
class Disks:
    """Every mounted file system once, and every disk."""

    mounts: tuple[Mount, ...]
    disks: tuple[BlockDevice, ...]


@dataclass(frozen=True, slots=True)
class Machinery:
    """Processors and memory, links with their addresses."""

    capacity: Capacity
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """A user: number and name of its primary group by number."""

    name: str
    uid: int
    gid: int
    shell: str


@dataclass(frozen=True, slots=True)
class Users:
    """
    Accounts, groups by name with (number, members), and texts of sudo's rules by path, in the order sudo reads them.
    """

    accounts: tuple[Account, ...]
    groups: Mapping[str, tuple[int, tuple[str, ...]]]
    sudoers: Mapping[str, str]
    sudo: bool


@dataclass(frozen=True, slots=True)
class Placed:
    """A file or folder: digest (empty for a folder), mode, numbers of owner and group."""

    sha256: str
    mode: int
    owner: int
    group: int


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What lies where the scheduled identity's files are, by path; None for one that is not there."""

    known: Mapping[str, Placed | None]


@dataclass(frozen=True, slots=True)
class Sshd:
    """sshd's settings (lower case) as they hold for each of several users from elsewhere, by user."""

    settings: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Certificates of Kubernetes' folders by path, the presented one first."""

    chains: Mapping[str, Chain]


@dataclass(frozen=True, slots=True)
class Shown:
    """
    What a service of the host shows to a TLS client that asks for `name` (empty: for none); `why` there is no chain.
    """

    port: int
    address: str
    name: str
    chain: Chain
    why: str


@dataclass(frozen=True, slots=True)
class Served:
    """Every service that was asked."""

    shown: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class ClusterNames:
    """What the cluster's own name server answers the host."""

    names: Names
