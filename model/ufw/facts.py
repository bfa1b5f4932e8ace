"""What a host's firewall, listeners and addresses were at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model.base import Address
from model.packets.sockets import Listener, SshPeer
from model.ufw.foreign_rules import Rulesets
from model.ufw.next_boot import NextBoot
from model.ufw.unconfirmed import UnconfirmedChange


@dataclass(frozen=True)
class FirewallFacts:
    """
    A host as seen at one moment.

    `files`: texts by path, of ufw's files that exist. `rulesets`: raw texts of iptables-save and the like. `addresses`:
    (interface, address). `conntrack`: (limit, in use), zeros where connections are not tracked. `python3`: its real
    path, empty where missing. `peer`: this session as the host sees it, None where it is none of sshd's. `holder`: who
    holds the host's lock, empty when nobody. `unconfirmed`: a change that waits to be confirmed. `boot`: what the next
    boot will do, None where nobody asked.
    """

    installed: bool
    version: str
    files: Mapping[str, str]
    rulesets: Rulesets
    listeners: tuple[Listener, ...]
    addresses: tuple[tuple[str, Address], ...]
    conntrack: tuple[int, int]
    python3: str
    os_release: Mapping[str, str]
    unit_enabled: bool
    ipv6: bool
    holder: str
    peer: SshPeer | None = None
    unconfirmed: UnconfirmedChange | None = None
    boot: NextBoot | None = None

    @property
    def iptables_save(self) -> str:
        """Raw `iptables-save`, all tables."""
        return self.rulesets.saved[4]

    @property
    def ip6tables_save(self) -> str:
        """Raw `ip6tables-save`, all tables."""
        return self.rulesets.saved[6]

    @property
    def sshd_ports(self) -> tuple[int, ...]:
        """TCP ports where sshd (or systemd for it) listens, and the one that this session came in by."""
        ports = {
            listener.port for listener in self.listeners if listener.protocol == "tcp" and "sshd" in listener.processes
        }
        return tuple(sorted(ports | ({self.peer.server_port} if self.peer else set())))
