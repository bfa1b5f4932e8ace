"""What a witness knows of each stream it expects, and what it has seen of it."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from model.bits import BYTES, Pool, count, from_marks, to_marks, to_ports
from remote.probe.agent.sockets import FAMILIES
from remote.probe.agent.tags import Tags

Pair = bytes
# Planned ports of one point whose tags are kept, in some megabytes.
FEW = 20_000


def canonical(address: str) -> tuple[int, bytes, str]:
    """
    Return an address's family (4 or 6), bytes and canonical text; raises OSError for anything else.
    """
    family = 6 if ":" in address else 4
    raw = socket.inet_pton(FAMILIES[family], address)
    return family, raw, socket.inet_ntop(FAMILIES[family], raw)


def show(raw: bytes) -> str:
    """
    Return an address's text.
    """
    return socket.inet_ntop(FAMILIES[4 if len(raw) == 4 else 6], raw)


class Watched(Tags):
    """One expected stream; marks are bytes as in `model.bits.to_marks`, by probed port."""

    __slots__ = (
        "address",
        "arrived",
        "destination",
        "family",
        "name",
        "passed",
        "planned",
        "protocol",
        "source",
        "translated",
    )

    def __init__(
        self, key: bytes, name: str, sources: Sequence[str], address: str, protocol: str, planned: int
    ) -> None:
        self.family, self.destination, self.address = canonical(address)
        super().__init__(key, name, self.address, protocol)
        self.name, self.protocol = name, protocol
        # A source fires from its first address of each family: any other one is a translation.
        self.source = next((raw for family, raw, _ in map(canonical, sources) if family == self.family), b"")
        self.planned = bytes(to_marks(planned))
        self.arrived, self.passed = bytearray(BYTES), bytearray(BYTES)
        # By (source and destination address seen, port seen minus port probed), where NAT changed any of them.
        self.translated: dict[tuple[Pair, int], bytearray] = {}

    def probed(self, tag: int) -> int:
        """Return the planned port that has this tag, or -1."""
        port = self.port(tag)
        return port if port < 65536 and self.planned[port >> 3] >> (port & 7) & 1 else -1

    def arrive(self, port: int, pair: Pair, port_seen: int) -> None:
        """Mark a probed port as arrived under these addresses."""
        marks = self.arrived
        if port != port_seen or pair != self.source + self.destination:
            marks = self.translated.setdefault((pair, port_seen - port), bytearray(BYTES))
        marks[port >> 3] |= 1 << (port & 7)

    def rows(self, pool: Pool) -> list[list[object]]:
        """Return what was seen, a row for each pair of addresses and shift; nothing when nothing was seen."""
        rows: list[list[object]] = []
        direct, passed = from_marks(self.arrived), from_marks(self.passed)
        for (pair, shift), marks in self.translated.items():
            bits, half = from_marks(marks), len(pair) // 2
            seen = [show(pair[:half]), show(pair[half:]), shift]
            rows.append([self.name, self.address, self.protocol, pool.add(bits), pool.add(bits & passed), *seen])
            passed &= ~bits | direct
        if direct or passed:
            seen = [show(self.source) if self.source else "", self.address, 0]
            rows.append([self.name, self.address, self.protocol, pool.add(direct), pool.add(passed), *seen])
        return rows


class Tagged:
    """
    The streams of one point, and which of them a tag may be of. A host that leads packets between others sees every one
    of theirs: where few ports are planned, all tags stand in a table, made when first asked for.
    """

    def __init__(self, streams: Sequence[Watched]) -> None:
        self.streams = streams
        self.table: dict[int, list[tuple[Watched, int]]] | None = None
        self.few = sum(count(from_marks(stream.planned)) for stream in streams) <= FEW

    def of(self, tag: int) -> list[tuple[Watched, int]]:
        """Return each stream that has a planned port of this tag, and the port."""
        if not self.few:
            return [(stream, port) for stream in self.streams if (port := stream.probed(tag)) >= 0]
        if self.table is None:
            self.table = {}
            for stream in self.streams:
                for port in to_ports(from_marks(stream.planned)):
                    self.table.setdefault(stream.tag(port), []).append((stream, port))
        return self.table.get(tag, [])


def recognise(tagged: Tagged, port: int, tag: int) -> tuple[Watched, int] | None:
    """
    Return the stream and the probed port of a probe that NAT changed, seen at `port`; None for what is no probe.

    Among many streams a tag now and then reads as a planned port of a foreign one. Where NAT left the port alone that is no question.
    """
    return min(tagged.of(tag), key=lambda each: each[1] != port, default=None)
