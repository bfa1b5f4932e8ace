"""Connections that begin on a host, or in a pod's network, and end on a socket of this process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from apps.message_probe.wire import Dial
from model.errors import HostError

if TYPE_CHECKING:
    from nornir.core.inventory import Host
    from paramiko import Channel

_CHUNK = 1 << 16
_START_SECONDS = 20.0
# Standard library only: it runs on hosts. One line says whether the connection stands; then bytes go both ways.
_RELAY = """
import os, socket, sys, threading
try:
    server = socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3]))
except OSError as error:
    print("no", type(error).__name__, error, flush=True)
    sys.exit()
server.settimeout(None)
server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
sys.stdout.buffer.write(b"connected\\n")
sys.stdout.buffer.flush()
def up():
    while data := os.read(0, 65536):
        server.sendall(data)
    server.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := server.recv(65536):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
"""


def from_host(host: Host, address: str, port: int) -> Dial:
    """Return what connects to a server from a host, by sshd's own forwarding or by a command that relays."""

    def dial(seconds: float) -> socket.socket:
        from remote.shell import session
        from remote.tunnel import open_tunnel

        try:
            return _bridged(open_tunnel(host.name, session(host), (address, port), seconds))
        except HostError as error:
            raise ConnectionRefusedError(f"from {host.name} to {address} port {port}: {error.message}") from None

    return dial


def from_network_of(host: Host, process: Callable[[], int], address: str, port: int) -> Dial:
    """Return what connects to a server from the network of a process on a host: a pod's."""

    def dial(seconds: float) -> socket.socket:
        try:
            channel, early = _relayed(host, process(), address, port, seconds)
        except HostError as error:
            raise ConnectionRefusedError(
                f"from a pod on {host.name} to {address} port {port}: {error.message}"
            ) from None
        return _bridged(channel, early)

    return dial


def _relayed(host: Host, process: int, address: str, port: int, seconds: float) -> tuple[Channel, bytes]:
    """
    Start the relay in a process's network, and return its channel with what the server said at once.

    Raises `ConnectionError` with what the connection came to.
    """
    from remote.channel import let_go
    from remote.command import begin, open_channel
    from remote.shell import session
    from remote.sudo import PASSWORD, elevate

    opened = session(host)
    deadline = time.monotonic() + _START_SECONDS
    argv = (
        "nsenter", f"--net=/proc/{process}/ns/net", "python3", "-c", _RELAY, address, str(port), str(seconds)
    )  # fmt: skip
    elevation = elevate(argv, user=opened.username, root=True, password=PASSWORD.get())
    pipe = begin(host.name, open_channel(host.name, opened, seconds), argv, elevation, deadline)
    while b"\n" not in pipe.out:
        left = deadline - time.monotonic()
        if left <= 0 or (not pipe.take(left) and pipe.ended):
            complaint = pipe.err.decode(errors="replace").strip().splitlines()
            let_go(pipe.channel)
            raise ConnectionError(f"the relay on {host.name} did not start: {complaint[-1:] or 'it said nothing'}")
    line, _, early = bytes(pipe.out).partition(b"\n")
    if line != b"connected":
        let_go(pipe.channel)
        where = f"from a pod on {host.name} to {address} port {port}"
        raise ConnectionRefusedError(f"{where}: {line.decode(errors='replace').removeprefix('no ')}")
    return pipe.channel, early


def _bridged(channel: Channel, early: bytes = b"") -> socket.socket:
    """Return a socket whose bytes go over a channel: what TLS and every library can use."""
    ours, theirs = socket.socketpair()
    channel.settimeout(None)
    threading.Thread(target=_carry, args=(channel, theirs, early), name="bridge", daemon=True).start()
    return ours


def _carry(channel: Channel, ours: socket.socket, early: bytes) -> None:
    """Pass bytes both ways until both have ended, and let go of both ends."""
    from remote.channel import let_go

    with ours:
        up = threading.Thread(target=_up, args=(channel, ours), name="bridge up", daemon=True)
        up.start()
        _down(channel, ours, early)
        up.join()
        let_go(channel)


def _up(channel: Channel, ours: socket.socket) -> None:
    with suppress(OSError, EOFError):
        while data := ours.recv(_CHUNK):
            channel.sendall(data)
    with suppress(OSError, EOFError):
        channel.shutdown_write()


def _down(channel: Channel, ours: socket.socket, early: bytes) -> None:
    with suppress(OSError, EOFError):
        ours.sendall(early)
        while data := channel.recv(_CHUNK):
            ours.sendall(data)
    with suppress(OSError):
        ours.shutdown(socket.SHUT_WR)
