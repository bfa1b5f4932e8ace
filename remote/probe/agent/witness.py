"""The witness: which probes arrived at this host, and which its firewall let pass."""

from __future__ import annotations

import select
import time

from model.bits import Pool, unpool
from remote.probe.agent.channel import BadMessage, Channel, Message
from remote.probe.agent.sockets import overrun
from remote.probe.agent.streams import Watched, recognise, show
from remote.probe.agent.tags import magic
from remote.probe.agent.taps import Index, Key, Tap

# Reading a little later reads many packets at once; the sockets' buffers hold them.
PAUSE_MS = 2
CONNECTS_KEPT = 4096


class Witness:
    """The armed state: taps, streams, and the plain connections seen."""

    def __init__(self, message: Message) -> None:
        key = bytes.fromhex(message["key"])
        sets = unpool(message["bits"])
        self.watched_ports = frozenset(message["connects"])
        self.connects: dict[tuple[str, int, int], list[bool]] = {}
        self.streams = [
            Watched(key, name, sources, address, protocol, planned)
            for name, sources, address, tcp, udp in message["expected"]
            for protocol, planned in (("tcp", sets[tcp]), ("udp", sets[udp]))
            if planned
        ]
        self.taps = [
            tap for family in (4, 6) for protocol in ("tcp", "udp") for tap in self._taps(family, protocol, key)
        ]
        self.seen_last = time.monotonic()

    def _taps(self, family: int, protocol: str, key: bytes) -> list[Tap]:
        mine = [stream for stream in self.streams if (stream.family, stream.protocol) == (family, protocol)]
        if not mine and not (protocol == "tcp" and self.watched_ports):
            return []
        index = Index(mine)
        return [Tap(arrival, family, protocol, magic(key), index) for arrival in (True, False)]

    def pump(self, milliseconds: float, poll: select.poll) -> bool:
        """Wait for packets or the controller, read what is there; return whether the controller wrote."""
        ready = {fd for fd, _ in poll.poll(milliseconds)}
        known = sum(tap.drain(self.stray) for tap in self.taps if tap.sock.fileno() in ready)
        if known:
            self.seen_last = time.monotonic()
        return bool(ready.difference(tap.sock.fileno() for tap in self.taps))

    def stray(self, tap: Tap, key: Key, port_from: int, port: int, sequence: int) -> bool:
        """Judge a SYN under addresses of no stream: a probe that NAT changed, or a connection to a port under watch."""
        if (known := recognise(tap.index.tagged, port, sequence)) is not None:
            stream, probed = known
            if tap.arrival and isinstance(key, bytes):
                stream.arrive(probed, key, port)
            else:
                stream.passed[probed >> 3] |= 1 << (probed & 7)
            return True
        if port in self.watched_ports and len(self.connects) < CONNECTS_KEPT:
            source = key if isinstance(key, str) else show(key[: len(key) // 2])
            points = self.connects.setdefault((source, port_from, port), [False, False])
            points[0 if tap.arrival else 1] = True
        return False

    def results(self) -> Message:
        """Return everything seen since this witness was armed."""
        pool = Pool()
        rows = [row for stream in self.streams for row in stream.rows(pool)]
        connects = [[*who, *points] for who, points in self.connects.items()]
        lost = sum(overrun(tap.sock) for tap in self.taps)
        return {"seen": rows, "connects": connects, "overrun": lost, "bits": pool.texts}

    def close(self) -> None:
        """Stop seeing packets."""
        for tap in self.taps:
            tap.sock.close()


def serve(channel: Channel) -> None:
    """
    Obey the controller until its end: arm, then collect as often as it likes.
    """
    witness = Witness({"key": "", "bits": [], "expected": [], "connects": []})
    poll = _poll(channel, witness)
    while True:
        if witness.pump(-1, poll):
            channel.read()
        channel.wait(PAUSE_MS)
        while (message := channel.next()) is not None:
            if message["do"] == "arm":
                witness.close()
                witness = Witness(message)
                poll = _poll(channel, witness)
                channel.say({"armed": len(witness.streams)})
            elif message["do"] == "collect":
                _settle(channel, witness, poll, message["quiet_ms"] / 1000, message["limit_ms"] / 1000)
                channel.say(witness.results())
            else:
                raise BadMessage(f"a witness cannot {message['do']!r}")


def _poll(channel: Channel, witness: Witness) -> select.poll:
    poll = select.poll()
    for fd in (channel.fd, *(tap.sock.fileno() for tap in witness.taps)):
        poll.register(fd, select.POLLIN)
    return poll


def _settle(channel: Channel, witness: Witness, poll: select.poll, quiet: float, limit: float) -> None:
    """
    Read on until no probe has come for `quiet` seconds, `limit` seconds at most.
    """
    start = now = time.monotonic()
    while now < start + limit:
        left = max(witness.seen_last, start) + quiet - now
        if left <= 0:
            # A last look: what is queued by now counts as seen in time.
            if not sum(tap.drain(witness.stray) for tap in witness.taps):
                return
            witness.seen_last = time.monotonic()
        elif witness.pump(min(left, start + limit - now) * 1000 + 1, poll):
            channel.read()
        else:
            channel.wait(PAUSE_MS)
        now = time.monotonic()
