"""
Plain listeners and plain clients in a lab's network namespaces: what a connection really meets.

Run as a program: one JSON object on standard input, a list of answers on standard output, in the questions' order. It
shares nothing with the probes: no raw socket, no capture, no reading of rules.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import selectors
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h
_SECONDS = 1.6
_AGAIN_SECONDS = 0.4
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
CLOSED, SOMEBODY = "closed", "somebody"


@dataclass(slots=True)
class _Question:
    protocol: str
    to: tuple[str, int]
    connected: bool = False
    answer: str = ""


def main() -> int:
    """Listen, ask everything at once, and print what came back within a moment."""
    asked = json.load(sys.stdin)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    namespaces: Mapping[str, str] = asked["namespaces"]
    ends = _Ends()
    for host, address, protocol, port in asked["listen"]:
        _enter(namespaces[host])
        ends.listen(host, address, protocol, port)
    for source, address, protocol, port in asked["ask"]:
        _enter(namespaces[source])
        ends.ask(address, protocol, port)
    json.dump(ends.answers(), sys.stdout)
    return 0


def ask(namespaces: Mapping[str, str], listen: Sequence[Sequence[Any]], questions: Sequence[Sequence[Any]]) -> str:
    """Return what the program reads on its standard input."""
    return json.dumps({"namespaces": dict(namespaces), "listen": list(listen), "ask": list(questions)})


class _Ends:
    """Sockets of both kinds, and one loop over them; a socket stays in the namespace it was made in."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.listeners: dict[socket.socket, tuple[str, str]] = {}
        self.questions: dict[socket.socket, _Question] = {}
        self.order: list[_Question] = []

    def listen(self, host: str, address: str, protocol: str, port: int) -> None:
        """Answer with the host's name and the port; where somebody listens already, he answers."""
        here = _socket(address, protocol)
        if protocol == "tcp":
            here.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            here.bind((address, port))
        except OSError:
            here.close()
            return
        if protocol == "tcp":
            here.listen(512)
        self.listeners[here] = protocol, f"{host} {port}"
        self.selector.register(here, selectors.EVENT_READ)

    def ask(self, address: str, protocol: str, port: int) -> None:
        """Begin to connect, or send."""
        question = _Question(protocol, (address, port))
        self.order.append(question)
        here = _socket(address, protocol)
        try:
            here.connect((address, port))
            if protocol == "udp":
                here.send(b"?")
        except BlockingIOError:
            pass
        except OSError:
            question.answer = CLOSED
            here.close()
            return
        self.questions[here] = question
        ready = selectors.EVENT_READ | (selectors.EVENT_WRITE if protocol == "tcp" else 0)
        self.selector.register(here, ready)

    def answers(self) -> list[str]:
        """Serve until everything is answered or the time is over."""
        end, again = time.monotonic() + _SECONDS, time.monotonic() + _AGAIN_SECONDS
        while self.questions and time.monotonic() < end:
            for key, events in self.selector.select(0.05):
                here = key.fileobj
                assert isinstance(here, socket.socket)
                if here in self.listeners:
                    self._serve(here)
                elif here in self.questions:
                    self._hear(here, events)
            if time.monotonic() > again:
                again = time.monotonic() + _AGAIN_SECONDS
                self._send_again()
        for question in self.questions.values():
            question.answer = SOMEBODY if question.connected else CLOSED
        return [question.answer for question in self.order]

    def _serve(self, here: socket.socket) -> None:
        protocol, name = self.listeners[here]
        try:
            if protocol == "udp":
                _, whom = here.recvfrom(64)
                here.sendto(name.encode(), whom)
                return
            accepted, _ = here.accept()
            accepted.send(name.encode() + b"\n")
            accepted.close()
        except OSError:
            # The other end is gone, or a rule does not let the answer out: the client tells.
            return

    def _hear(self, here: socket.socket, events: int) -> None:
        question = self.questions[here]
        if events & selectors.EVENT_WRITE and not question.connected:
            if here.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._done(here, CLOSED)
                return
            question.connected = True
            self.selector.modify(here, selectors.EVENT_READ)
        if not events & selectors.EVENT_READ:
            return
        try:
            text = here.recv(64).decode("ascii", "replace").strip()
        except OSError:
            # Whoever was connected and is cut off spoke to somebody.
            self._done(here, SOMEBODY if question.connected else CLOSED)
            return
        own = len(text.split()) == 2 and text.split()[1].isdigit()
        self._done(here, text if own else SOMEBODY)

    def _send_again(self) -> None:
        for here, question in list(self.questions.items()):
            if question.protocol == "udp":
                try:
                    here.send(b"?")
                except OSError:
                    self._done(here, CLOSED)

    def _done(self, here: socket.socket, answer: str) -> None:
        self.questions.pop(here).answer = answer
        self.selector.unregister(here)
        here.close()


def _socket(address: str, protocol: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    here = socket.socket(family, _KINDS[protocol])
    here.setblocking(False)
    return here


_entered = ""


def _enter(path: str) -> None:
    """Make sockets in this namespace from now on."""
    global _entered
    if path == _entered:
        return
    with open(path, "rb") as namespace:  # noqa: PTH123 - a path of the kernel's
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _NEW_NETWORK):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    _entered = path


if __name__ == "__main__":
    sys.exit(main())
