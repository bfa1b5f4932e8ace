"""Claims about connections to a homeserver: who opened one as a context leaves none behind."""

from __future__ import annotations

import socket

import pytest

from apps.message_probe.wire import Connection, Origin, dial_to
from tests.remote.gates.web import Reply, serving


def fail(origin: Origin) -> None:
    """Ask something, and break within the context."""
    with Connection(origin) as connection:
        connection.ask("GET", "/")
        raise ZeroDivisionError


def test_a_connection_is_closed_when_its_context_ends_however_that_is() -> None:
    opened: list[socket.socket] = []
    with serving(lambda *_: Reply(200, b"{}")) as port:

        def dial(seconds: float) -> socket.socket:
            opened.append(dial_to("127.0.0.1", port)(seconds))
            return opened[-1]

        origin = Origin(name="m", port=80, dial=dial)
        with Connection(origin) as connection:
            assert connection.ask("GET", "/").status == 200
        with pytest.raises(ZeroDivisionError):
            fail(origin)
    assert [each.fileno() for each in opened] == [-1, -1]
