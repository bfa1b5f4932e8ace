"""
The way to run commands on hosts: argv in, both streams and the exit code out, over the connection that Nornir keeps.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Protocol

from model.errors import CommandFailed, CommandTimeout, ProtocolError, Unreachable, shown
from remote.command import begin, first_lines, not_started, open_channel, sudo_ran
from remote.installed import is_scheduled
from remote.route import CONNECT_SECONDS, CONNECTION, route
from remote.sudo import PASSWORD, elevate

if TYPE_CHECKING:
    from nornir.core.inventory import Host
    from paramiko import Channel

    from remote.channel import Pipe
    from remote.connection import HostSession
    from remote.sudo import Elevation
_opening: dict[str, threading.Lock] = {}


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended. `seconds` is wall time; the exit code is -1 where a signal killed it."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: bytes
    stderr: bytes
    seconds: float

    def check(self, host: Host | str) -> Completed:
        """Return itself; raises `CommandFailed` with the first lines of standard error on another exit code than 0."""
        if self.exit_code == 0:
            return self
        raise CommandFailed(str(host), self.argv, self.exit_code, first_lines(self.stderr or self.stdout))


class CommandStream(Protocol):
    """A command that runs on while bytes are exchanged with it."""

    def write(self, data: bytes) -> None:
        """
        Send bytes to its standard input; raises `EOFError` when it has ended, `TimeoutError` when it does not read.
        """

    def end_input(self) -> None:
        """End its standard input."""

    def read_line(self, timeout: float) -> bytes:
        """Return the next line without its end; raises `TimeoutError`, and `EOFError` with its last complaint."""

    def read_exactly(self, count: int, timeout: float) -> bytes:
        """Return the next `count` bytes; raises as `read_line` does."""

    def complaint(self) -> str:
        """Return the last lines of its standard error."""

    def exit_code(self, timeout: float) -> int | None:
        """Wait for its exit code; None when it still runs after `timeout` seconds."""

    def close(self) -> None:
        """End its input and let go of it; a well-behaved command ends then."""


@dataclass(frozen=True, slots=True)
class SessionPeer:
    """Both ends of this session's connection as the host sees them: behind NAT and jump hosts."""

    client: IPv4Address | IPv6Address
    client_port: int
    server: IPv4Address | IPv6Address
    server_port: int


def run(host: Host, argv: Sequence[str], *, stdin: bytes = b"", root: bool = False, timeout: float = 30.0) -> Completed:
    """
    Run one command to its end; any exit code is an answer.

    Standard input ends after `stdin`. `timeout` counts from the open connection on. Raises `CommandTimeout` (the
    connection stays usable), `RootRefused` when sudo does not help, and what opening a connection raises.
    """
    started = time.monotonic()
    deadline = started + timeout
    with _command(host, argv, root=root, deadline=deadline) as (pipe, elevation):
        pipe.feed(stdin)
        code = pipe.finish(deadline)
    if code is None:
        raise CommandTimeout(host.name, argv, timeout)
    if not pipe.started:
        raise not_started(host.name, argv, elevation, code, pipe.refusal)
    done = Completed(tuple(argv), code, bytes(pipe.out), bytes(pipe.err), time.monotonic() - started)
    if elevation.by_sudo and not elevation.starts:
        sudo_ran(host.name, done.argv, done.exit_code, done.stderr)
    return done


def start(host: Host, argv: Sequence[str], *, root: bool = False, timeout: float = 30.0) -> CommandStream:
    """
    Start a command and exchange bytes with it while it runs; `timeout` bounds its start, sudo's dialogue included.
    """
    from remote.stream import ChannelStream

    pipe, _ = _begin(host, argv, root=root, deadline=time.monotonic() + timeout, wait=True)
    return ChannelStream(host.name, tuple(argv), pipe)


def peer(host: Host) -> SessionPeer:
    """
    Return what the host sees of this session (its SSH_CONNECTION).

    Raises `ProtocolError` when the session has none.
    """
    words = run(host, ("printenv", "SSH_CONNECTION")).stdout.decode(errors="replace").split()
    try:
        client, client_port, server, server_port = words
        return SessionPeer(_address(client), int(client_port), _address(server), int(server_port))
    except ValueError:
        raise ProtocolError(host.name, f"SSH_CONNECTION is {words!r}", "is this a session of OpenSSH's sshd?") from None


def session(host: Host) -> HostSession:
    """
    Return the host's connection, opening it where there is none or the old one broke.

    Raises `Unreachable`, `HostKeyUnknown`, `HostKeyChanged`.
    """
    from nornir.core.configuration import Config

    with _opening.setdefault(host.name, threading.Lock()):
        known = host.connections.get(CONNECTION)
        if known is not None and not known.connection.is_alive():
            host.close_connection(CONNECTION)
        opened: HostSession = host.get_connection(CONNECTION, Config())
        return opened


def reconnect_proof(host: Host, timeout: float = CONNECT_SECONDS) -> float:
    """
    Prove that a new SSH connection over the same path works: connect, authenticate, run `true`, close.

    Returns the seconds it took; raises `Unreachable`, `HostKeyUnknown`, `HostKeyChanged`, within `timeout` seconds.
    """
    from remote.proof import prove

    return prove(route(host), timeout)


def tcp_banner(host: Host, timeout: float = CONNECT_SECONDS) -> tuple[str, int] | None:
    """
    Prove that a new TCP connection over the same path reaches an SSH server; nothing is authenticated.

    Returns the connection's own local address and port, None through a jump host; raises `Unreachable`.
    """
    from remote.proof import banner

    return banner(route(host), timeout)


@contextmanager
def _command(host: Host, argv: Sequence[str], *, root: bool, deadline: float) -> Iterator[tuple[Pipe, Elevation]]:
    from remote.channel import let_go

    pipe, elevation = _begin(host, argv, root=root, deadline=deadline)
    try:
        yield pipe, elevation
    finally:
        let_go(pipe.channel)
    transport = pipe.channel.get_transport()
    if pipe.channel.exit_status == -1 and not transport.is_active():
        error = transport.saved_exception
        why = f": {error or type(error).__name__}" if error is not None else ""
        raise Unreachable(host.name, f"the connection broke during `{shown(argv)}`{why}", "is the host up?")


def _begin(
    host: Host, argv: Sequence[str], *, root: bool, deadline: float, wait: bool = False
) -> tuple[Pipe, Elevation]:
    opened = session(host)
    elevation = elevate(argv, user=opened.username, root=root, password=PASSWORD.get(), lies_there=is_scheduled(host))
    return begin(host.name, _channel(host, opened, deadline), argv, elevation, deadline, wait=wait), elevation


def _channel(host: Host, opened: HostSession, deadline: float) -> Channel:
    """Open a channel; where the connection broke unnoticed, on a new one: no command had begun."""
    try:
        return open_channel(host.name, opened, max(0.1, deadline - time.monotonic()))
    except Unreachable:
        if opened.is_alive():
            raise
    return open_channel(host.name, session(host), max(0.1, deadline - time.monotonic()))


def _address(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text)
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
