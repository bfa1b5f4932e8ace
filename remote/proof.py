"""The proof that a new connection to a host works, over the same path as the one in use."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import paramiko

from model.errors import Unreachable
from remote.dial import connect, transport_of
from remote.route import Route
from remote.transport import ByteStream, connection_slot, open_stream

_LONGEST_GREETING = 16384


def prove(route: Route, timeout: float) -> float:
    """
    Connect anew, authenticate, run `true`, close, all within `timeout` seconds; return the seconds it took.

    A turn at a jump host is waited for within them too: the host's rollback does not wait either.

    Raises what `remote.dial.connect` raises, and `Unreachable` when the command does not answer with exit code 0.
    """
    started = time.monotonic()
    client, stream = connect(replace(route, seconds=timeout), counted=True)
    left = max(0.1, timeout - (time.monotonic() - started))
    # paramiko waits for the answer to a request without a limit of its own.
    alarm = threading.Timer(left, stream.cut)
    alarm.daemon = True
    alarm.start()
    try:
        channel = transport_of(client).open_session(timeout=left)
        channel.exec_command("true")
        if channel.status_event.wait(left) and channel.exit_status == 0:
            return time.monotonic() - started
    except (paramiko.SSHException, OSError, EOFError):
        # Told below: whatever ended it, no command ran.
        pass
    finally:
        alarm.cancel()
        client.close()
        stream.close()
    raise Unreachable(route.name, "a new connection opens, but runs no command", "look at sshd on the host")


def banner(route: Route, timeout: float) -> tuple[str, int] | None:
    """
    Connect anew and read the server's greeting; return the local end where the connection is a direct one.

    Raises `Unreachable` when nothing greets as an SSH server within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    with connection_slot(replace(route, seconds=timeout), counted=True) as bounded, open_stream(bounded) as stream:
        local = None if route.proxy else (stream.socket.getsockname()[0], stream.socket.getsockname()[1])
        _await_greeting(route, stream, deadline)
        return local


def _await_greeting(route: Route, stream: ByteStream, deadline: float) -> None:
    heard = b""
    while not any(word.startswith((b"SSH-2.0-", b"SSH-1.99-")) for word in heard.split(b"\n")[:-1]):
        left = deadline - time.monotonic()
        try:
            stream.socket.settimeout(max(0.001, left))
            more = stream.socket.recv(1024)
        except OSError as error:
            complaint = stream.complaint() or error.strerror or str(error)
            raise Unreachable(
                route.name, f"no SSH greeting from {route.known_as}: {complaint}", "is it the host's sshd?"
            ) from None
        heard += more
        if not more or left <= 0 or len(heard) > _LONGEST_GREETING:
            complaint = stream.complaint() or f"it said {heard[:60]!r}"
            raise Unreachable(
                route.name, f"no SSH greeting from {route.known_as}: {complaint}", "is it the host's sshd?"
            )
