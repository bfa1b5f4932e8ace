"""HTTPS to a server through an SSH connection, without a port on this machine."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from paramiko import Channel, ChannelException, SSHException
from typing_extensions import override
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.util.ssltransport import SSLTransport

from model.errors import Unreachable
from remote.channel import let_go
from remote.command import execute, open_channel, skip_start
from remote.dial import transport_of
from remote.sudo import elevate

if TYPE_CHECKING:
    from remote.connection import HostSession

_PROHIBITED = 1
# Opens a channel to the server within so many seconds.
OpenChannel = Callable[[float], Channel]


def open_tunnel(host: str, opened: HostSession, server: tuple[str, int], seconds: float) -> Channel:
    """
    Let a host connect to a server and return the channel that carries the connection: by sshd's own forwarding, or
    where that is forbidden by a command that relays.

    Raises `Unreachable`; where only the server does not answer, the SSH connection stays alive.
    """
    where = f"{server[0]} port {server[1]}"
    if opened.remote_conn_pre is None:
        raise Unreachable(host, "the connection was closed")
    try:
        transport = transport_of(opened.remote_conn_pre)
        return transport.open_channel("direct-tcpip", server, ("127.0.0.1", 0), timeout=seconds)
    except ChannelException as error:
        if error.code == _PROHIBITED:
            return _relay(host, opened, server, seconds)
        raise Unreachable(host, f"nothing answers there at {where}: {error.text}", "look at its API server") from None
    except (SSHException, OSError, EOFError) as error:
        if opened.is_alive():
            raise Unreachable(
                host, f"no connection to {where} within {seconds:g} s", "look at its API server"
            ) from None
        opened.remote_conn_pre.close()
        raise Unreachable(host, f"the connection broke: {error}", "is the host up?") from None


def _relay(host: str, opened: HostSession, server: tuple[str, int], seconds: float) -> Channel:
    """Start a command on the host that passes bytes on; where it cannot, the channel ends at once."""
    channel = open_channel(host, opened, seconds)
    argv = ("python3", "-c", _RELAY, server[0], str(server[1]), str(seconds))
    # Nothing of it is secret: TLS is spoken through it, from end to end.
    elevation, deadline = elevate(argv, user=opened.username, root=False), time.monotonic() + seconds
    execute(host, channel, elevation.line, argv, deadline)
    skip_start(channel, elevation.starts, deadline)
    return channel


_RELAY = """
import os, socket, sys, threading
server = socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3]))
server.settimeout(None)
def up():
    while data := os.read(0, 65536):
        server.sendall(data)
    server.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := server.recv(65536):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
"""


def tunnel_pool(
    name: str, port: int, dial: OpenChannel, context: ssl.SSLContext, seconds: float
) -> HTTPSConnectionPool:
    """
    Return a pool of connections to the server that `dial` reaches, each bounded by `seconds`.

    Its certificate must be good for `name`, by the context's authorities.
    """
    pool = HTTPSConnectionPool(
        name,
        port,
        timeout=seconds,
        maxsize=16,
        retries=False,
        ssl_context=context,
        dial=dial,
    )
    pool.ConnectionCls = _Connection
    return pool


class _Wire:
    """A channel as TLS over `recv` and `sendall` wants a socket: it closes when the last file made of it does."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._io_refs = 0
        self._closed = False

    def recv(self, count: int) -> bytes:
        return self.channel.recv(count)

    def sendall(self, data: bytes) -> None:
        if data:
            self.channel.sendall(data)

    def settimeout(self, seconds: float | None) -> None:
        self.channel.settimeout(seconds)

    def gettimeout(self) -> float | None:
        return self.channel.gettimeout()

    def close(self) -> None:
        self._closed = True
        if self._io_refs <= 0:
            let_go(self.channel)

    def _decref_socketios(self) -> None:
        self._io_refs = max(0, self._io_refs - 1)
        if self._closed:
            self.close()

    @property
    def open(self) -> bool:
        transport = self.channel.get_transport()
        return not (self.channel.closed or self.channel.eof_received) and transport.is_active()


class _Connection(HTTPSConnection):
    """urllib3's connection, over a channel."""

    def __init__(self, *args: Any, dial: OpenChannel, **options: Any) -> None:
        super().__init__(*args, **options)
        self._dial = dial
        self._wire: _Wire | None = None

    @override
    def connect(self) -> None:
        assert self.ssl_context is not None  # noqa: S101 - `tunnel_pool` gives one
        seconds = self.timeout if isinstance(self.timeout, int | float) else 10.0
        wire = _Wire(self._dial(seconds))
        wire.settimeout(seconds)
        try:
            # It does what http.client asks of a socket, and is none.
            self.sock = SSLTransport(wire, self.ssl_context, self.host)  # type: ignore[arg-type]
        except BaseException:
            let_go(wire.channel)
            raise
        self._wire = wire
        self.is_verified = True

    @property
    @override
    def is_connected(self) -> bool:
        return self.sock is not None and self._wire is not None and self._wire.open
