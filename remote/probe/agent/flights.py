"""The streams a source fires: what is ready to be sent, what left, and what came back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from model.bits import BYTES, Pool, from_marks, to_marks, to_ports
from remote.probe.agent.streams import canonical, show
from remote.probe.agent.tags import Tags


class Flight(Tags):
    """One stream at its source; marks are bytes as in `model.bits.to_marks`."""

    __slots__ = (
        *("address", "data", "family", "icmp", "name", "planned", "protocol", "refused", "requests", "rst"),
        *("sent", "sockaddr", "synack", "target", "unroutable"),
    )

    def __init__(
        self,
        key: bytes,
        source: str,
        target: str,
        address: str,
        protocol: str,
        planned: int,
        requests: Mapping[int, str],
    ) -> None:
        self.family, self.target, self.address = canonical(address)
        super().__init__(key, source, self.address, protocol)
        self.name, self.protocol, self.planned, self.requests = target, protocol, planned, requests
        self.sockaddr = (self.address, 0)
        self.sent, self.refused = bytearray(BYTES), bytearray(BYTES)
        self.synack, self.rst, self.data = bytearray(BYTES), bytearray(BYTES), bytearray(BYTES)
        self.unroutable: dict[int, bytearray] = {}
        # By (type, code, sender's bytes).
        self.icmp: dict[tuple[int, int, bytes], bytearray] = {}

    def row(self, pool: Pool) -> list[object]:
        """Return all that is known of this stream."""
        sets = [pool.add(from_marks(marks)) for marks in (self.sent, self.refused, self.synack, self.rst, self.data)]
        unroutable = [[error, pool.add(from_marks(marks))] for error, marks in self.unroutable.items()]
        icmp = [[*what, show(sender), pool.add(from_marks(marks))] for (*what, sender), marks in self.icmp.items()]
        return [self.name, self.address, self.protocol, *sets, unroutable, icmp]


def mark(marks: bytearray, port: int) -> None:
    """
    Put a port into marks.
    """
    marks[port >> 3] |= 1 << (port & 7)


def order(flights: list[tuple[Flight, int]], turn: int) -> Iterator[tuple[Flight, int]]:
    """
    Deal probes port by port, stream after stream, so that no destination gets a burst; `turn` rotates the streams.
    """
    start = turn % max(len(flights), 1)
    dealt = [(flight, to_marks(bits)) for flight, bits in flights[start:] + flights[:start]]
    union = 0
    for _, bits in flights:
        union |= bits
    for port in to_ports(union):
        place, bit = port >> 3, 1 << (port & 7)
        for flight, marks in dealt:
            if marks[place] & bit:
                yield flight, port
