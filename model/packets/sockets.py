"""The sockets that listen on a host, its addresses, and from where it sees this session come."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from model.base import Address

_USER = re.compile(r'\("(?P<name>(?:[^"\\]|\\.)*)",pid=(?P<pid>\d+)')
_ANY = {"*": "::"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """
    A listening TCP or bound UDP socket: `processes` and `pids` of all who hold it, in ss's order; `*` in ss is `::`
    here.
    """

    protocol: str
    address: Address
    port: int
    interface: str = ""
    processes: tuple[str, ...] = ()
    pids: tuple[int, ...] = ()

    @property
    def process(self) -> str:
        """The name of the first process that holds it, empty where the kernel itself does."""
        return self.processes[0] if self.processes else ""

    @property
    def pid(self) -> int:
        """The id of that process, 0 where there is none."""
        return self.pids[0] if self.pids else 0


@dataclass(frozen=True, slots=True)
class SshPeer:
    """Both ends of an SSH session as the host sees them."""

    client: Address
    client_port: int
    server: Address
    server_port: int


def parse_listeners(text: str) -> tuple[Listener, ...]:
    """Read `ss -Hlntup`; raises ValueError for a line that is none of its."""
    return tuple(_listener(line) for line in text.splitlines() if line.strip())


def _listener(line: str) -> Listener:
    words = line.split(None, 6)
    if len(words) < 6 or words[0] not in ("tcp", "udp"):
        raise ValueError(f"no line of ss: {line}")
    place, _, port = words[4].rpartition(":")
    bare, _, interface = place.partition("%")
    users = list(_USER.finditer(words[6])) if len(words) > 6 else []
    return Listener(
        protocol=words[0],
        address=ip_address(_ANY.get(bare.strip("[]"), bare.strip("[]"))),
        interface=interface.strip("]"),
        port=int(port),
        processes=tuple(user["name"] for user in users),
        pids=tuple(int(user["pid"]) for user in users),
    )


def parse_addresses(text: str) -> tuple[tuple[str, Address], ...]:
    """Read `ip -j addr`; an empty text means that there is no `ip` on the host."""
    links = json.loads(text) if text.strip() else []
    return tuple(
        (link["ifname"], ip_address(entry["local"]))
        for link in links
        for entry in link.get("addr_info", ())
        if "local" in entry
    )


def parse_peer(text: str) -> SshPeer | None:
    """Read `SSH_CONNECTION=...`; None where the session has none."""
    words = text.strip().removeprefix("SSH_CONNECTION=").split()
    if len(words) != 4:
        return None
    return SshPeer(_plain(words[0]), int(words[1]), _plain(words[2]), int(words[3]))


def _plain(text: str) -> Address:
    address = ip_address(text.partition("%")[0])
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
