"""What one host's own account adds to the packets: its rules, its listeners, which interface holds which address."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from model import bits
from model.base import Address
from model.packets.kernel_rules import KernelRules
from model.packets.netfilter import Chains
from model.packets.sockets import Listener

# The kernel keeps 15 characters of a process's name.
_COMM = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """
    Rules by IP version (4, 6; a missing one was not read), interfaces by address, listeners.

    `rules` holds them all, those of other tables and tools too; None where nobody asked. `nft` is what `nft -j list
    ruleset` printed, as text: it is rarely needed. `conntrack`: (limit, in use), zeros where connections are not
    tracked.
    """

    chains: Mapping[int, Chains]
    interfaces: Mapping[str, str] = field(default_factory=dict)
    listeners: tuple[Listener, ...] = ()
    sshd_port: int = 22
    nft: str = ""
    conntrack: tuple[int, int] = (0, 0)
    rules: KernelRules | None = None

    @property
    def kernel(self) -> KernelRules:
        """Every rule that is known of the host."""
        if self.rules is not None:
            return self.rules
        tools = {4: "iptables", 6: "ip6tables"}
        return KernelRules({(tools[version], "filter"): chains for version, chains in self.chains.items()})

    def listening(self, protocol: str, address: Address) -> dict[int, str]:
        """Return the ports, with their owners, that answer at this address."""
        return {
            listener.port: listener.process
            for listener in self.listeners
            if listener.protocol == protocol and _serves(listener.address, address)
        }

    def open_ports(self, protocol: str) -> int:
        """Return every port something listens on, other than on loopback only."""
        return bits.from_ports(
            listener.port
            for listener in self.listeners
            if listener.protocol == protocol and not listener.address.is_loopback
        )


def is_named(process: str, names: Collection[str]) -> bool:
    """Return whether a process, by the name that the kernel keeps of it, is one of those named."""
    return bool(process) and process[:_COMM] in {name[:_COMM] for name in names}


def _serves(bound: Address, address: Address) -> bool:
    """Return whether a socket bound to one address takes what comes to another."""
    if bound.is_unspecified:
        # An IPv6 wildcard socket usually takes IPv4 as well.
        return bound.version == address.version or bound.version == 6
    return bound == address


def harmless(rows: Iterable[tuple[int, str]], listening: int) -> dict[int, str]:
    """Return, of (port, request) pairs, those whose port something listens on."""
    return {port: request for port, request in rows if listening & (1 << port)}
