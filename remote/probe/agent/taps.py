"""One point where a witness sees packets of one family and protocol, and how it reads them quickly."""

from __future__ import annotations

import struct
from collections.abc import Callable

from remote.probe.agent import filters
from remote.probe.agent.packets import PROBE, read_payload
from remote.probe.agent.sockets import arriving, passing
from remote.probe.agent.streams import Tagged, Watched, show
from remote.probe.agent.tags import PRIME

NUMBERS = {"tcp": filters.TCP, "udp": filters.UDP}
HEADERS = {4: 20, 6: 40}
SNAP = 256
# Packets read before other sockets and the controller get their turn.
BATCH = 4096

# Addresses as one value, then ports, then the sequence number (TCP) or the payload's first three words (UDP).
WITH_ADDRESSES = {
    ("tcp", 4): struct.Struct("!12x8sHHI"),
    ("tcp", 6): struct.Struct("!8x32sHHI"),
    ("udp", 4): struct.Struct("!12x8sHH4xIII"),
    ("udp", 6): struct.Struct("!8x32sHH4xIII"),
}
BARE = {"tcp": struct.Struct("!0sHHI"), "udp": struct.Struct("!0sHH4xIII")}

Key = bytes | str
Stray = Callable[["Tap", Key, int, int, int], bool]


class Index:
    """The expected streams of one family and protocol, by what a packet shows."""

    def __init__(self, streams: list[Watched]) -> None:
        self.tagged = Tagged(streams)
        self.by_check = {stream.check: stream for stream in streams}
        self.by_key: dict[Key, list[Watched]] = {}
        for stream in streams:
            if stream.source:
                self.by_key.setdefault(stream.source + stream.destination, []).append(stream)
                self.by_key.setdefault(show(stream.source), []).append(stream)


class Tap:
    """One socket: before netfilter (`arrival`) or after INPUT, for one family and protocol."""

    def __init__(self, arrival: bool, family: int, protocol: str, run: int, index: Index) -> None:
        self.arrival, self.family, self.protocol, self.run, self.index = arrival, family, protocol, run, index
        # An IPv6 raw socket gives no header: the sender comes with the packet, and the packet starts at its ports.
        self.bare = not arrival and family == 6
        self.start = 0 if self.bare else HEADERS[family]
        self.layout = BARE[protocol] if self.bare else WITH_ADDRESSES[protocol, family]
        self.buffer = bytearray(SNAP)
        self.sock = arriving(self._program()) if arrival else passing(family, NUMBERS[protocol], self._program())

    def _program(self) -> filters.Program:
        tcp = self.protocol == "tcp"
        last = filters.opening_syn(self.start) if tcp else filters.udp_probe(self.start, self.run)
        if self.bare:
            return (*filters.NOT_LOOPBACK, *last)
        network = (*filters.ip(self.family), *filters.protocol(self.family, NUMBERS[self.protocol]))
        incoming = filters.ARRIVING if self.arrival else ()
        return (*incoming, *filters.NOT_LOOPBACK, *network, *last)

    def drain(self, stray: Stray) -> int:
        """
        Read what is queued, up to BATCH packets; return how many belonged to an expected stream.

        `stray` is asked about each SYN that no stream expects under its addresses.
        """
        return self._drain_tcp(stray) if self.protocol == "tcp" else self._drain_udp()

    def _drain_tcp(self, stray: Stray) -> int:
        buffer, unpack, by_key, arrival = self.buffer, self.layout.unpack_from, self.index.by_key, self.arrival
        receive, receive_from, bare = self.sock.recv_into, self.sock.recvfrom_into, self.bare
        known = 0
        try:
            for _ in range(BATCH):
                sender: Key = receive_from(buffer)[1][0] if bare else b""
                if not bare:
                    receive(buffer)
                pair, port_from, port, sequence = unpack(buffer)
                key = sender or pair
                for stream in by_key.get(key, ()):
                    if (stream.scale * port + stream.offset) % PRIME == sequence:
                        marks = stream.arrived if arrival else stream.passed
                        marks[port >> 3] |= 1 << (port & 7)
                        known += 1
                        break
                else:
                    known += stray(self, key, port_from, port, sequence)
        except BlockingIOError:
            pass
        return known

    def _drain_udp(self) -> int:
        buffer, unpack, by_check, run = self.buffer, self.layout.unpack_from, self.index.by_check, self.run
        receive, data, arrival = self.sock.recv_into, self.start + 8, self.arrival
        plain = data + PROBE.size
        known = 0
        try:
            for _ in range(BATCH):
                size = receive(buffer)
                pair, _, port, first, check, tag = unpack(buffer)
                if size != plain or first != run:
                    check, tag = read_payload(bytes(buffer[data:size]), run) or (-1, -1)
                stream = by_check.get(check)
                probed = -1 if stream is None else stream.probed(tag)
                if stream is None or probed < 0:
                    continue
                known += 1
                if arrival:
                    stream.arrive(probed, pair, port)
                else:
                    stream.passed[probed >> 3] |= 1 << (probed & 7)
        except BlockingIOError:
            pass
        return known
