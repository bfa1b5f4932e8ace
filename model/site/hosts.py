"""What `hosts.yaml` and `groups.yaml` say: machines, and the roles that decide everything else about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from model.base import Address, Declared, Destination, Name, RoleName, Text, UserName
from model.site.settings import Port

# What a role's servers are for: the sizing is by purpose, and so is whom an external address leads to by default.
Purpose = Literal["control-plane", "application", "postgresql", "objects", "calls", "interception", "observation"]


class Disk(Declared):
    """A block device by its stable name under /dev/disk/by-id, size in GiB."""

    id: Text
    gib: int = Field(ge=1)
    purpose: Literal["system", "database", "objects", "monitoring", "unused"] = "unused"


class HostData(Declared):
    """Addresses by network, of both families; what the hardware is (0 = not said)."""

    addresses: dict[Name, tuple[Address, ...]] = Field(min_length=1)
    cpus: int = Field(default=0, ge=0)
    ram_gib: int = Field(default=0, ge=0)
    disks: tuple[Disk, ...] = ()


class HostEntry(Declared):
    """One host of `hosts.yaml`: how the controller reaches it (`hostname`, `port`) and what it is."""

    hostname: Destination
    port: Port = 22
    username: UserName | None = None
    platform: Text | None = None
    groups: tuple[RoleName, ...] = Field(min_length=1)
    data: HostData


class Traits(Declared):
    """What code asks a role for; no code asks for a role's name."""

    kind: Literal["server", "vantage", "perimeter"] = "server"
    node: Literal["control_plane", "worker"] | None = None
    purpose: Purpose | None = None
    network: Name = "main"
    exclusive: bool = False
    minimum: int = Field(default=0, ge=0)
    feature: str | None = None
    labels: dict[str, str] = {}
    taints: tuple[str, ...] = ()
    text: str = ""


class GroupEntry(Declared):
    """One role of `groups.yaml`."""

    data: Traits
    username: UserName | None = None
    port: Port | None = None
    platform: Text | None = None


class DeclaredConnection(Declared):
    """How one of Nornir's plugins connects, where that differs; `extras` are the plugin's own words."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    hostname: Destination | None = None
    port: Port | None = None
    username: UserName | None = None
    extras: dict[str, JsonValue] | None = None


class Defaults(Declared):
    """`defaults.yaml`: what Nornir assumes of every host. A password has no place in a file."""

    username: UserName | None = None
    port: Port | None = None
    platform: Text | None = None
    data: dict[str, JsonValue] = {}
    connection_options: dict[str, DeclaredConnection] = {}


@dataclass(frozen=True, eq=False)
class Machine:
    """
    A host with its roles resolved. `network` is the one its roles live in; `addresses` covers all networks it has a leg
    in.
    """

    name: str
    hostname: str
    port: int
    roles: tuple[str, ...]
    kind: Literal["server", "vantage", "perimeter"]
    node: Literal["control_plane", "worker"] | None
    network: str
    addresses: Mapping[str, tuple[Address, ...]]
    data: HostData

    @property
    def own(self) -> tuple[Address, ...]:
        """Addresses in the network of its roles: what it speaks from."""
        return self.addresses.get(self.network, ())

    @property
    def every(self) -> tuple[tuple[str, Address], ...]:
        """All (network, address) pairs it declares, its own network first."""
        order = sorted(self.addresses, key=lambda network: network != self.network)
        return tuple((network, address) for network in order for address in self.addresses[network])

    def speaks(self, version: int) -> Address | None:
        """Return the address of IP `version` (4 or 6) it speaks from, if it has one."""
        return next((address for address in self.own if address.version == version), None)
