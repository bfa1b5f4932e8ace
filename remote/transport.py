"""The byte stream to a host's SSH port: a socket, or a proxy command's streams."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import IO

from typing_extensions import override

from model.errors import Unreachable
from remote.route import KEEPALIVE_SECONDS, Route

TCP_SECONDS = 5.0
DEAD_SECONDS = 30
# sshd refuses at random from its tenth unauthenticated connection on (MaxStartups 10:30:100).
_AT_ONCE_THROUGH_ONE_HOP = 8
# What a hop says because the one before it has ended.
_CONSEQUENCES = ("kex_exchange_identification:", "Connection closed by UNKNOWN", "stdio forwarding failed")
_hops: dict[str, threading.BoundedSemaphore] = {}
_hops_guard = threading.Lock()


@dataclass(frozen=True, slots=True)
class ByteStream:
    """A connected byte stream to an SSH port; `proxy` is the process that carries it, `complaints` what that says."""

    socket: socket.socket
    proxy: subprocess.Popen[bytes] | None = None
    complaints: IO[bytes] | None = None

    def close(self) -> None:
        """End the stream, and with it the proxy command and its children."""
        self.cut()
        self.socket.close()
        if self.proxy is not None:
            _end(self.proxy)
        if self.complaints is not None:
            self.complaints.close()

    def cut(self) -> None:
        """Make every pending read and write end at once."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError as error:
            if error.errno not in (errno.ENOTCONN, errno.EBADF):
                raise

    def complaint(self) -> str:
        """
        Return the last line the proxy command wrote to its standard error; of a refused key the reason, too, and of
        several hops what the first said that did not connect.
        """
        if self.complaints is None or self.complaints.closed:
            return ""
        self.complaints.seek(0)
        lines = self.complaints.read(65536).decode(errors="replace").strip().splitlines()
        told = [line.strip() for line in lines if not line.startswith(_CONSEQUENCES)] or lines[-1:]
        refused = any("host key verification failed" in line.lower() for line in told[-1:])
        return " ".join(told[-2:] if refused else told[-1:]).strip()

    def __enter__(self) -> ByteStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_stream(route: Route) -> ByteStream:
    """
    Open a stream to a host's SSH port.

    Raises `Unreachable` within the route's seconds, with what the operating system said.
    """
    if route.proxy:
        return _through(route)
    deadline = time.monotonic() + min(TCP_SECONDS, route.seconds)
    try:
        return ByteStream(_dial(route, deadline))
    except socket.gaierror as error:
        raise Unreachable(
            route.name, f"`{route.address}` has no address: {error.strerror}", "correct its `hostname`"
        ) from None
    except TimeoutError:
        raise Unreachable(
            route.name, f"no answer from {route.known_as} within {TCP_SECONDS:g} s", "is it running?"
        ) from None
    except OSError as error:
        raise Unreachable(
            route.name, f"{route.known_as}: {error.strerror or error}", "is it running, with sshd?"
        ) from None


class _PromptSocket(socket.socket):
    """
    A socket that acknowledges at once what it has read.

    sshd sends its small answers one by one and holds each back until the last is acknowledged: a delayed
    acknowledgement adds 40 ms to the first command of every connection.
    """

    @override
    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        data = super().recv(bufsize, flags)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data


def _dial(route: Route, deadline: float) -> socket.socket:
    failure: OSError = TimeoutError()
    for family, kind, protocol, _, address in socket.getaddrinfo(route.address, route.port, type=socket.SOCK_STREAM):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        candidate = _PromptSocket(family, kind, protocol)
        try:
            candidate.settimeout(left)
            candidate.connect(address)
        except OSError as error:
            candidate.close()
            failure = error
            continue
        _watch(candidate)
        return candidate
    raise failure


def _watch(connected: socket.socket) -> None:
    """Have the kernel end the connection of a host that died without a word; SSH's own keep-alive expects no answer."""
    tcp = socket.IPPROTO_TCP
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_NODELAY, 1),
        (socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS),
        (socket.TCP_KEEPINTVL, 5),
        (socket.TCP_KEEPCNT, 3),
        (socket.TCP_USER_TIMEOUT, DEAD_SECONDS * 1000),
    ):
        connected.setsockopt(tcp, option, value)


def _through(route: Route) -> ByteStream:
    ours, theirs = socket.socketpair()
    # paramiko's own ProxyCommand spins on a proxy that has ended; a socket pair simply reads as closed.
    complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by ByteStream.close
    try:
        proxy = subprocess.Popen(
            route.proxy, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=complaints, start_new_session=True
        )
    except OSError as error:
        ours.close()
        complaints.close()
        raise Unreachable(route.name, f"`{route.proxy[0]}`: {error.strerror}", "install openssh-client") from None
    finally:
        theirs.close()
    return ByteStream(ours, proxy, complaints)


def _end(proxy: subprocess.Popen[bytes]) -> None:
    for signal_number, grace in ((signal.SIGTERM, 1.0), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(proxy.pid, signal_number)
        try:
            proxy.wait(grace)
        except subprocess.TimeoutExpired:
            continue
        return


@contextmanager
def connection_slot(route: Route, *, counted: bool = False) -> Iterator[Route]:
    """
    Let only as many connections be in the making through one jump host as its sshd takes at once.

    Yields the route. `counted`: waiting is part of the route's seconds, of which the yielded route has what is left.
    Raises `Unreachable` where none is left.
    """
    if not route.proxy:
        yield route
        return
    with _hops_guard:
        place = _hops.setdefault(route.via, threading.BoundedSemaphore(_AT_ONCE_THROUGH_ONE_HOP))
    started = time.monotonic()
    if not place.acquire(timeout=route.seconds if counted else None):
        what = f"no turn to connect through {route.via} within {route.seconds:g} s: too many others are at it"
        raise Unreachable(route.name, what, "run for fewer hosts at once, with --limit")
    try:
        left = max(0.1, round(route.seconds - (time.monotonic() - started), 1))
        yield replace(route, seconds=left) if counted else route
    finally:
        place.release()
