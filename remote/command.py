"""The start of one command on an open connection, through sudo's question where there is one."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from model.errors import CommandFailed, CommandTimeout, RootRefused, Unreachable, shown
from remote.sudo import Elevation

if TYPE_CHECKING:
    from paramiko import Channel

    from remote.channel import Pipe
    from remote.connection import HostSession

SUDO_HELP = "give sudo's password (MATRIX_FLEET_SUDO_PASSWORD, --ask-sudo-password), or let the user need none"
_STDERR_LINES = 3
_NOT_FOUND = 127
# What sudo says of a host that cannot resolve its own name, and then does what it is asked.
_WARNING = b"unable to resolve host"


def open_channel(host: str, opened: HostSession, seconds: float) -> Channel:
    """
    Open a channel for one command.

    Raises `Unreachable`: the connection stays alive where sshd only grants no further session, and is closed otherwise.
    """
    from paramiko import ChannelException, SSHException

    from remote.dial import transport_of

    # Others use it too, and one of them may be opening another in its place.
    client = opened.remote_conn_pre
    if client is None:
        raise Unreachable(host, "the connection was closed")
    try:
        return transport_of(client).open_session(timeout=seconds)
    except ChannelException as error:
        raise Unreachable(host, f"sshd opens no further session: {error}", "look at MaxSessions") from None
    except (SSHException, OSError, EOFError) as error:
        # Its own thread may not have noticed yet; nobody shall take it for alive.
        client.close()
        raise Unreachable(host, f"the connection broke: {error}", "is the host up?") from None


def begin(
    host: str, channel: Channel, argv: Sequence[str], elevation: Elevation, deadline: float, *, wait: bool = True
) -> Pipe:
    """
    Start a command on a new channel, and wait for its start unless nobody asks for a password and `wait` is false.

    `deadline` is monotonic. Raises `CommandTimeout`, `RootRefused` when sudo refuses, `CommandFailed` where the login
    shell starts nothing, `Unreachable`.
    """
    from remote.channel import Pipe, let_go

    execute(host, channel, elevation.line, argv, deadline)
    pipe = Pipe(channel, elevation.starts)
    if wait or elevation.password is not None:
        try:
            _converse(host, argv, pipe, elevation, deadline)
        except BaseException:
            let_go(channel)
            raise
    return pipe


def not_started(host: str, argv: Sequence[str], elevation: Elevation, exit_code: int, words: bytes) -> CommandFailed:
    """Return what a command is that was not started: sudo's refusal, or the login shell's. `words`: what was said."""
    detail = first_lines(words)
    if not elevation.by_sudo:
        help_ = "see the user's login shell there (`getent passwd`), and what its start files do"
        return CommandFailed(host, argv, exit_code, f"the login shell did not start it: {detail}", help_)
    missing = exit_code == _NOT_FOUND and b"sudo" in words
    return RootRefused(host, argv, exit_code, detail, "log in as root, or install sudo" if missing else SUDO_HELP)


def sudo_ran(host: str, argv: Sequence[str], exit_code: int, stderr: bytes) -> None:
    """
    Tell sudo's own failure from the exit code of a command that does not say when it starts; raises `RootRefused`.
    """
    words = b"\n".join(line for line in stderr.splitlines() if _WARNING not in line)
    missing = exit_code == _NOT_FOUND and b"sudo" in words and words.startswith(b"env: ")
    if missing or (exit_code == 1 and words.startswith(b"sudo: ")):
        help_ = "log in as root, or install sudo" if missing else SUDO_HELP
        raise RootRefused(host, argv, exit_code, first_lines(words), help_)


def first_lines(text: bytes) -> str:
    """Return what a person needs of a command's complaint, on one line."""
    lines = [line.strip() for line in text.decode(errors="replace").splitlines() if line.strip()]
    return "; ".join(lines[:_STDERR_LINES])[:500] or "it said nothing"


def execute(host: str, channel: Channel, line: str, argv: Sequence[str], deadline: float) -> None:
    """Start a command line on a channel; `deadline` is monotonic. Raises `CommandTimeout`, `Unreachable`."""
    from paramiko import SSHException

    from remote.channel import let_go

    left = max(0.1, deadline - time.monotonic())
    # paramiko waits for the answer to the request without a limit of its own.
    alarm = threading.Timer(left, let_go, (channel,))
    alarm.daemon = True
    alarm.start()
    try:
        channel.exec_command(line)
    except (SSHException, OSError, EOFError) as error:
        let_go(channel)
        if time.monotonic() >= deadline:
            raise CommandTimeout(host, argv, left) from None
        raise Unreachable(host, f"`{shown(argv)}` was not started: {error}", "is the host up?") from None
    finally:
        alarm.cancel()


def skip_start(channel: Channel, starts: bytes, deadline: float) -> None:
    """Read what comes before a command's own bytes, and no byte of those; the channel may end instead."""
    before, byte = b"", b"?"
    with suppress(OSError):
        while byte and not before.endswith(starts) and (left := deadline - time.monotonic()) > 0:
            channel.settimeout(left)
            byte = channel.recv(1)
            before = before[-len(starts) :] + byte
    channel.settimeout(None)


def _converse(host: str, argv: Sequence[str], pipe: Pipe, elevation: Elevation, deadline: float) -> None:
    """Answer sudo's one question, where it may be answered, and wait for the command's start."""
    answered = False
    seconds = deadline - time.monotonic()
    said = pipe.before_err
    while not pipe.started:
        if elevation.password is not None and elevation.asks in said.text:
            if answered:
                raise RootRefused(host, argv, 1, "sudo refuses the password", SUDO_HELP)
            del said.text[: said.text.index(elevation.asks) + len(elevation.asks)]
            pipe.channel.sendall(elevation.password.get_secret_value().encode() + b"\n")
            answered = True
        left = deadline - time.monotonic()
        if left <= 0:
            raise CommandTimeout(host, argv, seconds)
        if not pipe.take(left) and pipe.ended:
            raise not_started(host, argv, elevation, pipe.exit_code(1.0) or 1, pipe.refusal)
