"""What came back to a source: SYN-ACK, RST, ICMP errors and who sent them, and UDP answers."""

from __future__ import annotations

import socket
import struct

from remote.probe.agent import filters
from remote.probe.agent.flights import Flight, mark
from remote.probe.agent.sockets import arriving
from remote.probe.agent.tags import PRIME

BATCH = 4096
# Protocol; source and destination; the next 16 bytes: a TCP header's ports, sequence, acknowledgement, and flags.
LAYOUTS = {4: struct.Struct("!9xB2x4s4sHHIIxB"), 6: struct.Struct("!6xBx16s16sHHIIxB")}
# Within an ICMP error: type and code, then the inner protocol, source, destination, ports and sequence.
ERRORS = {4: struct.Struct("!20xBB6x9xB2x4s4sHHI"), 6: struct.Struct("!40xBB6x6xBx16s16sHHI")}
NAMES = {filters.TCP: "tcp", filters.UDP: "udp"}
SNAP = 256


class Replies:
    """The ears of a source for one family: `port` is its SYNs' source port, `udp` the socket that sends its UDP probes."""

    def __init__(self, family: int, flights: list[Flight], port: int, udp: socket.socket) -> None:
        flights = [flight for flight in flights if flight.family == family]
        self.by_target = {(flight.target, flight.protocol): flight for flight in flights}
        self.by_text = {flight.address: flight for flight in flights if flight.protocol == "udp"}
        self.layout, self.errors, self.port, self.udp = LAYOUTS[family], ERRORS[family], port, udp
        self.buffer = bytearray(SNAP)
        self.udp_port = udp.getsockname()[1]
        self.sock = arriving((*filters.INCOMING, *filters.replies(family, port)))
        self.sockets = (self.sock, udp)

    def drain(self) -> int:
        """Read what is queued; return how many packets answered a probe."""
        return self._drain_packets() + self._drain_datagrams()

    def _drain_packets(self) -> int:
        buffer, unpack, by_target = self.buffer, self.layout.unpack_from, self.by_target
        known = 0
        try:
            for _ in range(BATCH):
                size = self.sock.recv_into(buffer)
                protocol, sender, _, port, _, _, acknowledged, flags = unpack(buffer)
                if protocol != filters.TCP:
                    known += self._error(sender, size)
                    continue
                flight = by_target.get((sender, "tcp"))
                if flight is None or (flight.scale * port + flight.offset + 1 - acknowledged) % PRIME:
                    continue
                mark(flight.rst if flags & filters.RST else flight.synack, port)
                known += 1
        except BlockingIOError:
            pass
        return known

    def _error(self, sender: bytes, size: int) -> int:
        if size < self.errors.size:
            return 0
        kind, code, protocol, _, target, port_from, port, sequence = self.errors.unpack_from(self.buffer)
        flight = self.by_target.get((target, NAMES.get(protocol, "")))
        if flight is None or port_from != (self.port if protocol == filters.TCP else self.udp_port):
            return 0
        if protocol == filters.TCP and flight.tag(port) != sequence:
            return 0
        mark(flight.icmp.setdefault((kind, code, sender), bytearray(len(flight.sent))), port)
        return 1

    def _drain_datagrams(self) -> int:
        known = 0
        try:
            for _ in range(BATCH):
                address, port = self.udp.recvfrom_into(self.buffer)[1][:2]
                flight = self.by_text.get(address)
                if flight is not None and flight.sent[port >> 3] >> (port & 7) & 1:
                    mark(flight.data, port)
                    known += 1
        except BlockingIOError:
            pass
        return known
