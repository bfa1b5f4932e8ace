"""The source: fires probes at an even rate, never waits for an answer, and notes what comes back."""

from __future__ import annotations

import select
import time
import zlib

from model.bits import Pool, count, unpool
from remote.probe.agent.channel import BadMessage, Channel, Message
from remote.probe.agent.flights import Flight, order
from remote.probe.agent.launchers import launchers
from remote.probe.agent.packets import payload
from remote.probe.agent.tags import magic

PAUSE_MS = 2
PROGRESS_S = 0.2
# Probes sent between two looks at the clock, when behind it.
BURST = 256


class Source:
    """The armed state: streams to fire, and a launcher for each family."""

    def __init__(self, message: Message) -> None:
        key = bytes.fromhex(message["key"])
        sets = unpool(message["bits"])
        self.name = message["source"]
        self.flights = [
            Flight(
                key, self.name, name, address, protocol, planned, {int(port): kind for port, kind in requests.items()}
            )
            for name, address, tcp, udp, requests in message["targets"]
            for protocol, planned in (("tcp", sets[tcp]), ("udp", sets[udp]))
            if planned
        ]
        self.streams = {(flight.address, flight.protocol): flight for flight in self.flights}
        if len(self.streams) < len(self.flights):
            raise BadMessage("an address is a target twice")
        for kind in {kind for flight in self.flights for kind in flight.requests.values()}:
            payload(kind, 0, 0, 0)
        self.launchers = launchers(message["addresses"], magic(key), self.flights)
        self.heard_last = time.monotonic()

    def drain(self) -> None:
        """Read replies."""
        if sum(launcher.replies.drain() for launcher in self.launchers.values()):
            self.heard_last = time.monotonic()

    def chosen(self, message: Message) -> list[tuple[Flight, int]]:
        """Return the streams and ports of one round: all, or those that the message names, if planned."""
        if message["which"] is None:
            return [(flight, flight.planned) for flight in self.flights]
        sets = unpool(message["bits"])
        found = [(self.streams[address, protocol], sets[place]) for address, protocol, place in message["which"]]
        for flight, bits in found:
            if bits & ~flight.planned:
                raise BadMessage(f"{flight.address} {flight.protocol}: ports outside the plan")
        return found

    def failures(self) -> tuple[int, int]:
        """Return how many probes were refused and unroutable so far."""
        all_launchers = self.launchers.values()
        return sum(each.refused for each in all_launchers), sum(each.unroutable for each in all_launchers)

    def results(self) -> Message:
        """Return everything sent and heard since this source was armed."""
        pool = Pool()
        rows = [flight.row(pool) for flight in self.flights]
        return {"sent": rows, "bits": pool.texts}

    def close(self) -> None:
        """Give all ports back."""
        for launcher in self.launchers.values():
            launcher.close()


def serve(channel: Channel) -> None:
    """
    Obey the controller until its end: arm, then fire and collect as often as it likes.
    """
    source: Source | None = None
    while True:
        channel.wait(None)
        while (message := channel.next()) is not None:
            if message["do"] == "arm":
                if source is not None:
                    source.close()
                source = Source(message)
                channel.say({"armed": sum(count(flight.planned) for flight in source.flights)})
            elif message["do"] == "fire" and source is not None:
                channel.say({"done": fire(channel, source, source.chosen(message), message["rate"])})
            elif message["do"] == "collect" and source is not None:
                settle(channel, source, message["quiet_ms"] / 1000, message["limit_ms"] / 1000)
                channel.say(source.results())
            else:
                raise BadMessage(f"a source that is {'not ' if source is None else ''}armed cannot {message['do']!r}")


def fire(channel: Channel, source: Source, chosen: list[tuple[Flight, int]], rate: int) -> Message:
    """
    Send the chosen probes at `rate` packets a second, telling the controller how far it is every 0.2 s.
    """
    if rate <= 0:
        raise BadMessage("the rate must be above 0")
    before = source.failures()
    total = sum(count(bits) for _, bits in chosen)
    start = told = time.monotonic()
    fired = 0
    allowed = 1
    for flight, port in order(chosen, zlib.crc32(source.name.encode())):
        while fired >= allowed:
            source.drain()
            now = time.monotonic()
            if now - told >= PROGRESS_S:
                told = now
                channel.say({"progress": fired, "of": total})
            allowed = min(int((now - start) * rate) + 1, fired + BURST)
            if fired >= allowed:
                channel.wait(PAUSE_MS)
        launcher = source.launchers[flight.family]
        try:
            launcher.send(flight, port)
        except BlockingIOError:
            launcher.insist(flight, port)
        fired += 1
    refused, unroutable = (end - begin for begin, end in zip(before, source.failures(), strict=True))
    seconds = time.monotonic() - start
    return {"sent": fired - refused - unroutable, "refused": refused, "unroutable": unroutable, "seconds": seconds}


def settle(channel: Channel, source: Source, quiet: float, limit: float) -> None:
    """
    Read replies until none has come for `quiet` seconds, `limit` seconds at most.
    """
    start = now = time.monotonic()
    listening = select.poll()
    for launcher in source.launchers.values():
        for sock in launcher.replies.sockets:
            listening.register(sock, select.POLLIN)
    listening.register(channel.fd, select.POLLIN)
    while now < start + limit:
        source.drain()
        left = max(source.heard_last, start) + quiet - now
        if left <= 0:
            return
        ready = {fd for fd, _ in listening.poll(min(left, start + limit - now) * 1000 + 1)}
        if channel.fd in ready:
            channel.read()
        now = time.monotonic()
    source.drain()
