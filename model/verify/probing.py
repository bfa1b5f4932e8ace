"""What controller and agents tell each other: probes to fire, streams to look for, and what became of them.

Sets of ports are integers as in `model.bits`. Protocols are "tcp" and "udp". Addresses are IPv4 or IPv6 text without a
zone. A *stream* is all probes of one source at one address by one protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

REQUESTS = ("dns", "ntp", "stun")


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """
    One address to probe; `name` is the host (or the external name) it stands for.

    `requests` names, by UDP port where something listens, the harmless request to send there: one of `REQUESTS`.
    """

    name: str
    address: str
    tcp: int = 0
    udp: int = 0
    requests: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one source fires, from the first of its addresses of each target's family; an address is a target once."""

    source: str
    source_addresses: tuple[str, ...]
    targets: tuple[ProbeTarget, ...]


@dataclass(frozen=True, slots=True)
class ExpectedStream:
    """
    What one witness looks for: probes of one source at one address.

    The address is its own, or an external one that NAT may lead to it.
    """

    source: str
    source_addresses: tuple[str, ...]
    address: str
    tcp: int = 0
    udp: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SentStream:
    """
    What became of one stream at its source, over all rounds so far.

    `sent` left the host; `refused` was dropped or rejected on its way out (EPERM); `unroutable` maps an errno to ports.
    Of the replies, `synack`, `rst` and `data` are from the target's address; `icmp` maps (type, code, sender) to ports.
    """

    target: str
    address: str
    protocol: str
    sent: int
    refused: int
    unroutable: Mapping[int, int]
    synack: int
    rst: int
    data: int
    icmp: Mapping[tuple[int, int, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenStream:
    """
    What one witness saw of one stream under one pair of addresses; ports are the probed ones.

    `arrived` is before the host's netfilter, `passed` after its INPUT. Without NAT `source_seen` is the source's
    address, `destination_seen` is `address` and `shift` (port seen minus port probed) is 0.
    """

    source: str
    address: str
    protocol: str
    arrived: int
    passed: int
    source_seen: str
    destination_seen: str
    shift: int = 0


@dataclass(frozen=True, slots=True)
class PlainConnect:
    """An untagged TCP SYN to a port under watch: the controller's plain connection proves that the witness sees."""

    source: str
    source_port: int
    port: int
    arrived: bool
    passed: bool


@dataclass(frozen=True, slots=True)
class WitnessRecord:
    """All that one witness saw since it was armed; `overrun` counts packets its kernel had no room for."""

    seen: tuple[SeenStream, ...]
    connects: tuple[PlainConnect, ...]
    overrun: int


@dataclass(frozen=True, slots=True)
class AgentRecords:
    """What every source sent and every witness saw, by host; a host without an agent has no entry."""

    sent: Mapping[str, tuple[SentStream, ...]]
    seen: Mapping[str, WitnessRecord]


@dataclass(frozen=True, slots=True)
class FiredRound:
    """One round of one source: probes by what became of them, and seconds of wall time."""

    sent: int
    refused: int
    unroutable: int
    seconds: float


@dataclass(frozen=True, slots=True)
class AgentReady:
    """
    An agent that started: its host's Python, its pid and the host's addresses, loopback's included.

    `conntrack` is (entries, limit), or None where it is not loaded.
    """

    python: str
    pid: int
    addresses: tuple[str, ...]
    conntrack: tuple[int, int] | None
