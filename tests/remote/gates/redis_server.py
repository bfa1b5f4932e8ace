"""A small Redis or Sentinel: enough of its protocol for the gate, and as wrong as a test wants it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO


@dataclass
class SmallRedis:
    """`info` is what INFO says, `master` whom a Sentinel names; keys of `follows` are seen here too."""

    password: str = "of a test"
    info: dict[str, str] = field(default_factory=lambda: {"role": "master"})
    master: str = ""
    able: str = "OK 3 usable Sentinels. Quorum and failover authorization can be reached"
    keys: dict[str, str] = field(default_factory=dict)
    listening: int = 0
    drops: bool = False

    def treat(self, connection: socket.socket) -> None:
        """Answer one client until it goes."""
        known = not self.password
        stream = connection.makefile("rb")
        while words := _words(stream):
            known = self._answer(connection.sendall, words, known)

    def _answer(self, send: Callable[[bytes], object], words: list[str], known: bool) -> bool:
        command = words[0].upper()
        if command == "AUTH":
            right = words[-1] == self.password
            send(b"+OK\r\n" if right else b"-WRONGPASS invalid username-password pair or user is disabled.\r\n")
            return right
        if command in ("CLIENT", "HELLO"):
            send(b"+OK\r\n")
        elif not known:
            send(b"-NOAUTH Authentication required.\r\n")
        elif command == "PING":
            send(b"+PONG\r\n")
        elif command == "INFO":
            text = "# Replication\r\n" + "".join(f"{key}:{value}\r\n" for key, value in self.info.items())
            send(_bulk(text))
        elif command == "SET":
            if not self.drops:
                self.keys[words[1]] = words[2]
            send(b"+OK\r\n")
        elif command == "GET":
            send(_bulk(self.keys.get(words[1])))
        elif command == "DEL":
            send(b":%d\r\n" % (self.keys.pop(words[1], None) is not None))
        elif command == "PUBSUB":
            send(b"*2\r\n" + _bulk(words[-1]) + b":%d\r\n" % self.listening)
        elif command == "SENTINEL" and words[1].upper() == "CKQUORUM":
            send(b"+" + self.able.encode() + b"\r\n" if self.able.startswith("OK") else b"-NOQUORUM few\r\n")
        elif command == "SENTINEL":
            send(b"*2\r\n" + _bulk(self.master) + _bulk("6379") if self.master else b"*-1\r\n")
        else:
            send(b"-ERR unknown command\r\n")
        return known


def _words(stream: BinaryIO) -> list[str]:
    head = stream.readline()
    if not head.startswith(b"*"):
        return []
    words = []
    for _ in range(int(head[1:])):
        length = int(stream.readline()[1:])
        words.append(stream.read(length + 2)[:-2].decode())
    return words


def _bulk(text: str | None) -> bytes:
    return b"$-1\r\n" if text is None else b"$%d\r\n%s\r\n" % (len(text.encode()), text.encode())
