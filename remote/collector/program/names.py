"""What do name servers answer this host? The questions are under way while everything else is looked at."""

from __future__ import annotations

import select
import socket
import struct
import time
from typing import Any

from remote.collector.program.ask import text

Wishes = dict[str, Any]
_TYPES = (1, 28)
# What got lost is asked once more.
_WAITS = (1.0, 2.0)


class Names:
    """All questions of a run, one socket a name server."""

    def __init__(self, wishes: Wishes) -> None:
        self.open: dict[str, tuple[socket.socket, dict[int, bytes]]] = {}
        self.answers: dict[str, list[str]] = {}
        self.why: dict[str, str] = {}
        for each in wishes.get("dns", ()):
            server = each["server"] or _own()
            if not server:
                self.why[""] = "the host has no name server"
                continue
            packets = dict(
                enumerate((_question(number, name, kind) for number, name, kind in _numbered(each["names"])), 1)
            )
            self._ask(server, packets)

    def _ask(self, server: str, packets: dict[int, bytes]) -> None:
        self.answers[server] = []
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        try:
            asking = socket.socket(family, socket.SOCK_DGRAM)
            asking.connect((server, 53))
            for packet in packets.values():
                asking.send(packet)
        except OSError as error:
            self.why[server] = str(error)
            return
        self.open[server] = (asking, packets)

    def heard(self) -> Any:
        """Wait for what is still to come, and return packets in hexadecimal by server, and why there are none."""
        for wait in _WAITS:
            end = time.monotonic() + wait
            while self._waiting() and (left := end - time.monotonic()) > 0:
                self._hear(left)
            for server, (asking, packets) in list(self._waiting().items()):
                try:
                    for packet in packets.values():
                        asking.send(packet)
                except OSError as error:
                    self.why[server] = str(error)
                    del self.open[server]
        return {"answers": self.answers, "why": self.why}

    def _waiting(self) -> dict[str, tuple[socket.socket, dict[int, bytes]]]:
        return {server: pair for server, pair in self.open.items() if pair[1]}

    def _hear(self, seconds: float) -> None:
        sockets = {pair[0]: server for server, pair in self._waiting().items()}
        for asking in select.select(list(sockets), [], [], seconds)[0]:
            server = sockets[asking]
            try:
                packet = asking.recv(4096)
            except OSError as error:
                # Nobody listens there; the next questions would be refused alike.
                self.why[server] = str(error)
                del self.open[server]
                continue
            number = struct.unpack("!H", packet[:2])[0] if len(packet) > 12 else 0
            if self.open[server][1].pop(number, None) is not None:
                self.answers[server].append(packet.hex())


def _numbered(names: list[str]) -> list[tuple[int, str, int]]:
    pairs = [(name, kind) for name in names for kind in _TYPES]
    return [(number, name, kind) for number, (name, kind) in enumerate(pairs, 1)]


def _question(number: int, name: str, kind: int) -> bytes:
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)


def _own() -> str:
    for line in (text("/etc/resolv.conf") or "").splitlines():
        words = line.split()
        if words[:1] == ["nameserver"] and len(words) > 1:
            return words[1]
    return ""
