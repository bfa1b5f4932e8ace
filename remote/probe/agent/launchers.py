"""How one probe leaves a host, and what a refusal to send it means."""

from __future__ import annotations

import errno
import select

from model.bits import BYTES
from remote.probe.agent.flights import Flight, mark
from remote.probe.agent.packets import MSS, PROBE, SYN, SYN_FLAGS, WINDOW, payload, syn_checksum, syn_sum
from remote.probe.agent.replies import Replies
from remote.probe.agent.sockets import sending
from remote.probe.agent.streams import canonical
from remote.probe.agent.tags import PRIME

BUSY = (errno.EAGAIN, errno.ENOBUFS)
# Tries to send while queues are full, a few milliseconds apart: about two seconds, then the probe counts as not sent.
TRIES = 400


class Launcher:
    """The sockets of a source for one family, bound to its address."""

    def __init__(self, address: str, run: int, flights: list[Flight]) -> None:
        self.family, source, _ = canonical(address)
        self.run = run
        self.raw, self.reserved, self.udp = sending(self.family, address)
        self.port = self.reserved.getsockname()[1]
        mine = [flight for flight in flights if flight.family == self.family and flight.protocol == "tcp"]
        self.sums = {flight.target: syn_sum(source, flight.target, self.port) for flight in mine}
        self.replies = Replies(self.family, flights, self.port, self.udp)
        self.buffer = bytearray(SYN.size)
        self.refused = self.unroutable = 0

    def send(self, flight: Flight, port: int) -> None:
        """Send one probe once and mark it sent, refused or unroutable; raises BlockingIOError when queues are full."""
        tag = (flight.scale * port + flight.offset) % PRIME
        try:
            if flight.protocol == "tcp":
                checksum = syn_checksum(self.sums[flight.target], port, tag)
                SYN.pack_into(self.buffer, 0, self.port, port, tag, 0, SYN_FLAGS, WINDOW, checksum, 0, MSS[self.family])
                self.raw.sendto(self.buffer, flight.sockaddr)
            else:
                request = flight.requests.get(port, "")
                data = (
                    payload(request, self.run, flight.check, tag)
                    if request
                    else PROBE.pack(self.run, flight.check, tag)
                )
                self.udp.sendto(data, (flight.address, port))
        except PermissionError:
            self.refused += 1
            flight.refused[port >> 3] |= 1 << (port & 7)
        except OSError as error:
            if error.errno in BUSY:
                raise BlockingIOError(error.errno, error.strerror) from error
            self.blame(flight, port, error.errno or 0)
        else:
            flight.sent[port >> 3] |= 1 << (port & 7)

    def insist(self, flight: Flight, port: int) -> None:
        """Send one probe, waiting for room in the queues; a probe that finds none counts as unroutable (ENOBUFS)."""
        room = select.poll()
        room.register(self.raw if flight.protocol == "tcp" else self.udp, select.POLLOUT)
        for _ in range(TRIES):
            try:
                self.send(flight, port)
                return
            except BlockingIOError:
                # After ENOBUFS the socket itself has room: the wait is then for the interface's queue.
                if room.poll(5):
                    select.poll().poll(1)
        self.blame(flight, port, errno.ENOBUFS)

    def blame(self, flight: Flight, port: int, error: int) -> None:
        """Mark and count a probe that could not be sent."""
        self.unroutable += 1
        mark(flight.unroutable.setdefault(error, bytearray(BYTES)), port)

    def close(self) -> None:
        """Give the ports back."""
        for sock in (self.raw, self.reserved, *self.replies.sockets):
            sock.close()


def launchers(addresses: list[str], run: int, flights: list[Flight]) -> dict[int, Launcher]:
    """
    Return a launcher for each family that is needed, from the first address of that family.

    Raises ValueError when a target has a family that no source address has, or the host lacks the address.
    """
    found: dict[int, Launcher] = {}
    needed = {flight.family for flight in flights}
    for address in addresses:
        family = canonical(address)[0]
        if family in needed and family not in found:
            try:
                found[family] = Launcher(address, run, flights)
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
                raise ValueError(f"this host does not have the address {address}") from error
    if needed - found.keys():
        raise ValueError(f"no source address for IPv{min(needed - found.keys())} targets")
    return found
