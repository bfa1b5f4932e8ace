"""Authenticated SSH connections, made in bounded time and to the right host only."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import paramiko

from model.errors import HostError, Unreachable
from remote.credentials import Credentials
from remote.host_keys import TRUST, RecordedKeys, transport_for
from remote.known_hosts import recorded
from remote.route import Route
from remote.transport import ByteStream, connection_slot, open_stream

# What ssh says of a jump host that presents no recorded key.
_UNRECORDED = re.compile(r"Host key verification failed|host key is known for")


def connect(route: Route, *, counted: bool = False) -> tuple[paramiko.SSHClient, ByteStream]:
    """
    Open, verify and authenticate a connection; the caller closes both.

    Raises `HostKeyUnknown`, `HostKeyChanged` or `Unreachable`, within the route's seconds once its turn has come, or,
    where waiting for it is `counted`, within them altogether.
    """
    quiet()
    keys = recorded(route.known_hosts, route.known_as)
    with connection_slot(route, counted=counted) as bounded, _bounded(bounded) as stream:
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(RecordedKeys(route, keys))
        try:
            _authenticate(client, bounded, stream, keys)
        except BaseException:
            client.close()
            raise
        return client, stream


def server_key(route: Route) -> paramiko.PKey:
    """
    Ask a host for its key, of the recorded kind if one is recorded; nothing is authenticated on either side.

    Raises `Unreachable`.
    """
    quiet()
    keys = recorded(route.known_hosts, route.known_as)
    with connection_slot(route), _bounded(route) as stream:
        transport = transport_for(stream.socket, keys)
        try:
            transport.banner_timeout = route.seconds * 2
            transport.start_client(timeout=route.seconds * 2)
            return transport.get_remote_server_key()
        finally:
            transport.close()
            stream.close()


def transport_of(client: paramiko.SSHClient) -> paramiko.Transport:
    """Return a client's transport; raises `paramiko.SSHException` when it was closed."""
    transport = client.get_transport()
    if transport is None:
        raise paramiko.SSHException("the connection is closed")
    return transport


def quiet() -> None:
    """Keep what paramiko and netmiko log, tracebacks of their threads included, off the terminal."""
    for name in ("paramiko", "netmiko"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def _authenticate(client: paramiko.SSHClient, route: Route, stream: ByteStream, keys: Sequence[paramiko.PKey]) -> None:
    # The stream's alarm is the limit; paramiko's own must not come first, with words that say less.
    later = route.seconds * 2
    client.connect(
        route.address,
        port=route.port,
        username=route.username,
        sock=stream.socket,
        timeout=later,
        banner_timeout=later,
        auth_timeout=later,
        channel_timeout=later,
        auth_strategy=Credentials(route),
        transport_factory=lambda sock, **_algorithms: transport_for(sock, keys),
    )
    transport_of(client).set_keepalive(route.keepalive)


@contextmanager
def _bounded(route: Route) -> Iterator[ByteStream]:
    """
    Open a stream that is cut after the route's seconds, whatever the other end does; say in the project's words what
    failed.
    """
    started = time.monotonic()
    stream = open_stream(route)
    alarm = threading.Timer(max(0.1, route.seconds - (time.monotonic() - started)), stream.cut)
    alarm.daemon = True
    alarm.start()
    try:
        yield stream
    except HostError:
        stream.close()
        raise
    except (paramiko.SSHException, OSError, EOFError) as error:
        seconds = time.monotonic() - started
        complaint = stream.complaint()
        stream.close()
        if isinstance(error, paramiko.AuthenticationException) and seconds < route.seconds:
            raise _refused(route) from None
        raise _broken(route, error, complaint, seconds) from None
    except BaseException:
        stream.close()
        raise
    finally:
        alarm.cancel()


def _refused(route: Route) -> Unreachable:
    keys = ", ".join(str(path) for path in route.key_files) or ("the agent's keys" if route.agent else "no key")
    return Unreachable(
        route.name,
        f"refuses user `{route.username}` with {keys}",
        f"try `ssh -p {route.port} {route.username}@{route.address}`",
    )


def _broken(route: Route, error: Exception, complaint: str, seconds: float) -> Unreachable:
    through = f" through {route.via}" if route.via else ""
    if complaint:
        step = "can the jump host be reached, with a recorded key?"
        if _UNRECORDED.search(complaint):
            step = (
                f"run `{TRUST}`, which shows and records the keys of jump hosts as well: compare that one with the one "
                "on the jump host's console"
            )
        return Unreachable(route.name, f"no connection{through}: {complaint}", step)
    if seconds >= route.seconds:
        heard = "no answer" + through if route.via else "accepts the connection but does not speak SSH"
        reason = f"{heard} within {route.seconds:g} s"
        return Unreachable(route.name, reason, f"look at sshd and the load of {route.known_as}")
    return Unreachable(
        route.name, f"no SSH connection{through}: {error or type(error).__name__}", f"is {route.known_as} its sshd?"
    )
