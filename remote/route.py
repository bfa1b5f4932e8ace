"""The route to a host, by the inventory and the user's ssh_config."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remote.jump import known_as, through, ways_to_hops
from remote.ssh_config import Hop, lookup

if TYPE_CHECKING:
    from nornir.core.inventory import Host

CONNECTION = "netmiko"
CONNECT_SECONDS = 10.0
KEEPALIVE_SECONDS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    Everything needed to open a connection to one host.

    `proxy` is the command whose standard streams carry the connection (empty: a direct one); `via` names what it goes
    through. Keys are tried in order; the agent only where no key file was named. `seconds` bounds one whole attempt.
    """

    name: str
    address: str
    port: int
    username: str
    known_hosts: Path
    key_files: tuple[Path, ...] = ()
    agent: bool = True
    password: str | None = None
    proxy: tuple[str, ...] = ()
    via: str = ""
    seconds: float = CONNECT_SECONDS
    keepalive: int = KEEPALIVE_SECONDS

    @property
    def known_as(self) -> str:
        """The name under which known_hosts files keep the host's key."""
        return known_as(self.address, self.port)

    def __repr__(self) -> str:
        through = f" via {self.via}" if self.via else ""
        return f"<Route {self.name}: {self.username}@{self.address} port {self.port}{through}>"


def route(host: Host) -> Route:
    """
    Return the way to a host of the inventory.

    Raises `Unreachable` when the user's ssh_config cannot be understood.
    """
    options = host.get_connection_parameters(CONNECTION)
    return resolve(options.hostname, options.username, options.password, options.port, options.extras or {})


def hops(host: Host) -> tuple[Route, ...]:
    """
    Return the ways to the jump hosts before a host, nearest to the controller first; each is named as known_hosts files
    name it.

    Raises `Unreachable` as `route` does.
    """
    options = host.get_connection_parameters(CONNECTION)
    return resolve_hops(options.hostname, options.username, options.port, options.extras or {})


def resolve_hops(
    hostname: str | None, username: str | None, port: int | None, extras: Mapping[str, Any]
) -> tuple[Route, ...]:
    """Return the ways to the jump hosts before a destination; the words are those of `resolve`."""
    if not extras.get("ssh_config_file"):
        return ()
    target = hostname or str(extras.get("name", ""))
    name, config = str(extras.get("name", target)), Path(extras["ssh_config_file"])
    known_hosts = Path(extras["alt_key_file"])
    named = (Path(extras["key_file"]).expanduser(),) if extras.get("key_file") else ()
    settings = lookup(name, config, Hop(target, port, username))
    return tuple(
        Route(
            name=known_as(way.settings.address, way.settings.port),
            address=way.settings.address,
            port=way.settings.port,
            username=way.settings.username,
            known_hosts=known_hosts,
            proxy=way.proxy,
            via=way.via,
            seconds=float(extras.get("conn_timeout", CONNECT_SECONDS)),
        )
        for way in ways_to_hops(name, config, settings, named, known_hosts)
    )


def resolve(
    hostname: str | None, username: str | None, password: str | None, port: int | None, extras: Mapping[str, Any]
) -> Route:
    """
    Join Nornir's connection options with what ssh_config says; the inventory wins wherever it says something.

    `extras` are netmiko's names (`key_file`, `alt_key_file`, `ssh_config_file`, `allow_agent`, `conn_timeout`,
    `keepalive`) and `name`, the host's name in the inventory.
    """
    target = hostname or str(extras.get("name", ""))
    name = str(extras.get("name", target))
    known_hosts = Path(extras["alt_key_file"])
    config = Path(extras["ssh_config_file"]) if extras.get("ssh_config_file") else None
    settings = lookup(name, config, Hop(target, port, username)) if config else None
    named = (Path(extras["key_file"]).expanduser(),) if extras.get("key_file") else ()
    configured = settings.key_files if settings else ()
    proxy, via = through(name, config, settings, named, known_hosts) if settings and config else ((), "")
    return Route(
        name=name,
        address=settings.address if settings else target,
        port=settings.port if settings else port or 22,
        username=settings.username if settings else username or getpass.getuser(),
        known_hosts=known_hosts,
        key_files=named or configured,
        agent=bool(extras.get("allow_agent", not named and not (settings and settings.identities_only))),
        password=password,
        proxy=proxy,
        via=via,
        seconds=float(extras.get("conn_timeout", CONNECT_SECONDS)),
        keepalive=int(extras.get("keepalive", KEEPALIVE_SECONDS)),
    )
