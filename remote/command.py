"""The start of one command on an open connection, through sudo's question where there is one."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from model.errors import CommandTimeout, RootRefused, Unreachable
from remote.sudo import Elevation

if TYPE_CHECKING:
    from paramiko import Channel
    from pydantic import SecretStr

    from remote.channel import Pipe
    from remote.connection import HostSession

SUDO_HELP = "give sudo's password (MATRIX_FLEET_SUDO_PASSWORD, --ask-sudo-password), or let the user need none"
_STDERR_LINES = 3


def open_channel(host: str, opened: HostSession, seconds: float) -> Channel:
    """
    Open a channel for one command.

    Raises `Unreachable`: the connection stays alive where sshd only grants no further session, and is closed otherwise.
    """
    from paramiko import ChannelException, SSHException

    from remote.dial import transport_of

    if opened.remote_conn_pre is None:
        raise Unreachable(host, "the connection was closed")
    try:
        return transport_of(opened.remote_conn_pre).open_session(timeout=seconds)
    except ChannelException as error:
        raise Unreachable(host, f"sshd opens no further session: {error}", "look at MaxSessions") from None
    except (SSHException, OSError, EOFError) as error:
        # Its own thread may not have noticed yet; nobody shall take it for alive.
        opened.remote_conn_pre.close()
        raise Unreachable(host, f"the connection broke: {error}", "is the host up?") from None


def begin(host: str, channel: Channel, argv: Sequence[str], elevation: Elevation, deadline: float) -> Pipe:
    """
    Start a command on a new channel; `deadline` is monotonic. Raises `CommandTimeout`, `RootRefused` when sudo refuses,
    `Unreachable`.
    """
    from remote.channel import Pipe

    execute(host, channel, elevation.line, argv, deadline)
    pipe = Pipe(channel)
    if elevation.password is not None:
        try:
            _converse(host, argv, pipe, elevation, elevation.password, deadline)
        except BaseException:
            channel.close()
            raise
    return pipe


def sudo_ran(host: str, argv: Sequence[str], exit_code: int, stderr: bytes) -> None:
    """Tell sudo's own failure from the command's exit code; raises `RootRefused`."""
    missing = exit_code == 127 and b"sudo" in stderr and stderr.startswith(b"env: ")
    if missing or (exit_code == 1 and stderr.startswith(b"sudo: ")):
        help_ = "log in as root, or install sudo" if missing else SUDO_HELP
        raise RootRefused(host, argv, exit_code, first_lines(stderr), help_)


def first_lines(text: bytes) -> str:
    """Return what a person needs of a command's complaint, on one line."""
    lines = [line.strip() for line in text.decode(errors="replace").splitlines() if line.strip()]
    return "; ".join(lines[:_STDERR_LINES])[:500] or "it said nothing"


def execute(host: str, channel: Channel, line: str, argv: Sequence[str], deadline: float) -> None:
    """Start a command line on a channel; `deadline` is monotonic. Raises `CommandTimeout`, `Unreachable`."""
    from paramiko import SSHException

    left = max(0.1, deadline - time.monotonic())
    # paramiko waits for the answer to the request without a limit of its own.
    alarm = threading.Timer(left, channel.close)
    alarm.daemon = True
    alarm.start()
    try:
        channel.exec_command(line)
    except (SSHException, OSError, EOFError) as error:
        channel.close()
        if time.monotonic() >= deadline:
            raise CommandTimeout(host, argv, left) from None
        raise Unreachable(host, f"`{' '.join(argv)}` was not started: {error}", "is the host up?") from None
    finally:
        alarm.cancel()


def _converse(
    host: str, argv: Sequence[str], pipe: Pipe, elevation: Elevation, password: SecretStr, deadline: float
) -> None:
    """Answer sudo's one question and wait for the command's start; what sudo said until then is dropped."""
    answered = False
    seconds = deadline - time.monotonic()
    while elevation.starts not in pipe.err:
        if elevation.asks in pipe.err:
            if answered:
                raise RootRefused(host, argv, 1, "sudo refuses the password", SUDO_HELP)
            del pipe.err[: pipe.err.index(elevation.asks) + len(elevation.asks)]
            pipe.channel.sendall(password.get_secret_value().encode() + b"\n")
            answered = True
        left = deadline - time.monotonic()
        if left <= 0:
            raise CommandTimeout(host, argv, seconds)
        if not pipe.take(left) and pipe.ended:
            raise RootRefused(host, argv, pipe.exit_code(1.0) or 1, first_lines(bytes(pipe.err)), SUDO_HELP)
    del pipe.err[: pipe.err.index(elevation.starts) + len(elevation.starts)]
