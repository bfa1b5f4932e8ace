"""HTTP to a homeserver over a connection that somebody else opens: directly, or through other hosts."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any, Self

# Opens a connection to the server within so many seconds.
Dial = Callable[[float], socket.socket]
POOL = "X-Matrix-Fleet-Pool"
# A proxy that is overloaded, or has nobody to hand the request to just then.
PASSING = frozenset({429, 502, 503, 504})
PROBE = "X-Matrix-Fleet-Probe"
_LONGEST = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A server: the name it is called by (Host, SNI), and how it is reached. `tls` None: it speaks plain HTTP."""

    name: str
    dial: Dial
    port: int = 443
    tls: ssl.SSLContext | None = None

    @property
    def host(self) -> str:
        """What stands in the Host header."""
        usual = 443 if self.tls else 80
        return self.name if self.port == usual else f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `pool` says which process answered, where the proxy tells."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def pool(self) -> str:
        """`pool/server` as the proxy says it."""
        return self.headers.get(POOL.lower(), "")

    @property
    def document(self) -> dict[str, Any]:
        """The body as an object; empty where it is none."""
        try:
            content = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}


class Unanswered(Exception):
    """A request got no answer: refused, reset, or nothing within the time."""


class Connection:
    """
    A connection that is kept and opened anew when it broke; not for several threads.

    A request on a kept connection that the server closed meanwhile is sent once more. As a context manager it closes
    in the end.
    """

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._http: HTTPConnection | None = None
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        seconds: float = 10.0,
    ) -> Answer:
        """Send a request; any status is an answer. Raises `Unanswered`."""
        kept = self._http is not None
        try:
            return self._ask(method, path, body, headers or {}, seconds)
        except (HTTPException, OSError) as error:
            self.close()
            if self._ended or not kept or isinstance(error, TimeoutError):
                raise Unanswered(_why(error)) from None
        try:
            return self._ask(method, path, body, headers or {}, seconds)
        except (HTTPException, OSError) as error:
            self.close()
            raise Unanswered(_why(error)) from None

    def interrupt(self) -> None:
        """Have a request end that another thread waits for; none is sent again. That thread closes."""
        self._ended = True
        http = self._http
        with suppress(OSError):
            if http is not None and http.sock is not None:
                http.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the connection; the next request opens another."""
        http, self._http = self._http, None
        if http is not None:
            http.close()

    def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Answer:
        started = time.monotonic()
        if self._ended:
            raise ConnectionAbortedError("it was closed")
        http = self._http = self._http or self._open(seconds)
        http.sock.settimeout(seconds)
        http.request(method, path, body or None, {"Host": self._origin.host, PROBE: "1", **headers})
        response = http.getresponse()
        content = response.read(_LONGEST)
        lowered = {name.lower(): value for name, value in response.getheaders()}
        if response.will_close:
            self.close()
        return Answer(response.status, lowered, content, time.monotonic() - started)

    def _open(self, seconds: float) -> HTTPConnection:
        connected = self._origin.dial(min(seconds, 5.0))
        try:
            connected.settimeout(seconds)
            if self._origin.tls is not None:
                connected = self._origin.tls.wrap_socket(connected, server_hostname=self._origin.name)
        except BaseException:
            connected.close()
            raise
        http = HTTPConnection(self._origin.name, self._origin.port)
        http.sock = connected
        http.auto_open = 0
        return http


def dial_to(address: str, port: int) -> Dial:
    """Return what connects to an address from this machine; a peer that died without a word is noticed."""

    def dial(seconds: float) -> socket.socket:
        connected = socket.create_connection((address, port), seconds)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    return dial


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
