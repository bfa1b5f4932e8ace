"""Requests to publishers' servers: over TLS, through the organisation's proxy, and not for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Protocol
from urllib.parse import urljoin, urlsplit

from urllib3 import BaseHTTPResponse, HTTPHeaderDict, Timeout
from urllib3.exceptions import HTTPError

from model.errors import BundleError, SourceUnreachable
from remote.upstream.proxy import ProxyRoutes

# Lists, checksums and manifests are small; whoever sends more of them sends something else.
MAX_TEXT = 8 * 2**20
CHUNK = 2**18
_REDIRECTS = 6
Method = Literal["GET", "HEAD", "POST", "PUT"]
BUSY = (408, 425, 429, 500, 502, 503, 504)
_CLEAR = "use https, or name {host} in the sources' plain_http"
_AGAIN = "is the way there open (proxy: HTTPS_PROXY, NO_PROXY)? Run again: what is finished is kept"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """
    How often a server is tried, and in seconds: the first pause between tries (each next one is twice as long), silence
    borne.
    """

    tries: int = 4
    pause: float = 0.5
    connect: float = 20.0
    silence: float = 60.0


class Door(Protocol):
    """Who lets us in: what is shown at first (or nothing), and what is shown when a server asks for it."""

    def shown(self) -> Mapping[str, str]: ...

    def answer(self, challenge: str) -> Mapping[str, str]: ...


# What is sent, from its beginning each time that it is asked for.
Body = Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A small answer, whatever its status."""

    status: int
    headers: HTTPHeaderDict
    body: bytes


class NotTaken(Exception):
    """What was sent did not get there whole, or a busy server did not take it; in words."""


class Stopped(Exception):
    """Somebody else's failure, or Ctrl-C, ended the run."""


class Client:
    """
    Asks servers from many threads. `plain_http` are hosts that may be asked without TLS.

    Whoever is trusted is a matter of this machine (`SSL_CERT_FILE`), as is the proxy (`HTTPS_PROXY`, `HTTP_PROXY`,
    `NO_PROXY`); `authorities` are PEM files that are trusted as well. `clear`: what to do where another host (`{host}`)
    is to be asked without TLS.
    """

    def __init__(
        self,
        plain_http: frozenset[str] = frozenset(),
        retry: RetryPolicy | None = None,
        authorities: Sequence[Path] = (),
        clear: str = _CLEAR,
    ) -> None:
        self._clear = clear
        self.retry = retry or RetryPolicy()
        self._plain_http = plain_http
        self._over = threading.Event()
        self._routes = ProxyRoutes(authorities)

    def stop(self) -> None:
        """Let every thread that is asking end with Stopped."""
        self._over.set()

    def check(self) -> None:
        """Raise Stopped when the run is over."""
        if self._over.is_set():
            raise Stopped

    def wait(self, tried: int) -> None:
        """Pause before the next try."""
        if self._over.wait(self.retry.pause * 2 ** min(tried, 6)):
            raise Stopped

    def text(
        self, address: str, headers: Mapping[str, str] | None = None, door: Door | None = None
    ) -> tuple[bytes, HTTPHeaderDict]:
        """
        Return a small answer and its headers.

        Raises SourceUnreachable, and BundleError for an answer that will not get better.
        """
        for tried in range(self.retry.tries):
            try:
                with self.open(address, headers, door) as response:
                    return self._small(address, response), response.headers
            except HTTPError as error:
                failure = error
                self.wait(tried)
        raise unreachable(address, failure)

    def size(self, address: str) -> int | None:
        """Return how many bytes a file has; None where the server does not say."""
        try:
            with self.open(address, method="HEAD") as response:
                length = response.headers.get("Content-Length", "")
        except (BundleError, HTTPError):
            return None
        return int(length) if length.isdigit() else None

    @contextmanager
    def open(
        self, address: str, headers: Mapping[str, str] | None = None, door: Door | None = None, method: Method = "GET"
    ) -> Iterator[BaseHTTPResponse]:
        """
        Yield an answer (2xx) whose body is yet to be read, redirections followed, busy servers asked again.

        Raises as `text` does; while the block reads, urllib3's HTTPError.
        """
        response = self._answer(address, dict(headers or {}), door, method)
        try:
            yield response
        finally:
            # Half-read answers must not go back to the pool.
            response.close()

    def exchange(
        self,
        method: Method,
        address: str,
        headers: Mapping[str, str] | None = None,
        door: Door | None = None,
        body: Body | None = None,
    ) -> Answer:
        """
        Return whatever a server answers, busy ones asked again unless something is sent.

        Raises SourceUnreachable, BundleError as `text` does, but for no status; `NotTaken` where a `body` was sent and
        the server was busy, or the line broke.
        """
        tried, failure = 0, ""
        while tried < self.retry.tries:
            try:
                response = self._followed(address, dict(headers or {}), door, method, body)
                try:
                    answer = Answer(response.status, response.headers, self._small(address, response))
                finally:
                    response.close()
                if answer.status not in BUSY:
                    return answer
                failure = f"HTTP {answer.status}"
            except HTTPError as error:
                failure = reason(error)
            if body is not None:
                raise NotTaken(failure)
            tried += 1
            if tried < self.retry.tries:
                self.wait(tried - 1)
        raise SourceUnreachable(f"{address}: {failure}", _AGAIN)

    def _answer(self, address: str, headers: dict[str, str], door: Door | None, method: Method) -> BaseHTTPResponse:
        tried = 0
        while True:
            failure: object
            try:
                response = self._followed(address, headers, door, method)
            except HTTPError as error:
                failure = error
            else:
                if response.status < 300 or response.status == 416:
                    return response
                response.close()
                failure = f"HTTP {response.status} {response.reason or ''}".strip()
                if response.status not in BUSY:
                    raise BundleError(f"{address}: {failure}", _step(response.status))
            tried += 1
            if tried >= self.retry.tries:
                raise unreachable(address, failure)
            self.wait(tried - 1)

    def _followed(
        self, address: str, headers: dict[str, str], door: Door | None, method: Method, body: Body | None = None
    ) -> BaseHTTPResponse:
        place, shown, answered = address, dict(door.shown()) if door else {}, False
        for _ in range(_REDIRECTS):
            self.check()
            self._permit(address, place)
            with body() if body else nullcontext() as sent:
                response = self._routes.to(place).request(
                    method,
                    place,
                    body=sent,
                    headers={"Accept-Encoding": "identity", "User-Agent": "matrix-fleet", **headers, **shown},
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    decode_content=False,
                    timeout=Timeout(connect=self.retry.connect, read=self.retry.silence),
                )
            challenge = response.headers.get("WWW-Authenticate")
            if response.status == 401 and door and challenge and not answered:
                response.close()
                shown, answered = dict(door.answer(challenge)), True
                continue
            target = response.headers.get("Location") if response.status in (301, 302, 303, 307, 308) else None
            if target is None:
                return response
            response.close()
            further = urljoin(place, target)
            if urlsplit(further)[:2] != urlsplit(place)[:2]:
                # What lets us in here is nobody else's business.
                shown, door = {}, None
            place = further
        raise BundleError(f"{address}: redirected more than {_REDIRECTS} times, last to {place}", "correct the address")

    def _permit(self, address: str, place: str) -> None:
        parts = urlsplit(place)
        if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in self._plain_http):
            return
        via = "" if place == address else f" (redirected to {place})"
        raise BundleError(
            f"{address}{via}: {parts.scheme or 'no'} is no way that cannot be listened to",
            self._clear.format(host=parts.hostname),
        )

    def _small(self, address: str, response: BaseHTTPResponse) -> bytes:
        data = bytearray()
        while piece := response.read(CHUNK):
            self.check()
            data += piece
            if len(data) > MAX_TEXT:
                raise BundleError(f"{address}: more than {MAX_TEXT // 2**20} MiB", "correct the address")
        return bytes(data)


def unreachable(address: str, failure: object) -> SourceUnreachable:
    """Say that a server gave no answer."""
    return SourceUnreachable(f"{address}: {reason(failure)}", _AGAIN)


def reason(failure: object) -> str:
    """Return the failure's own words, without the pools and objects that urllib3 names."""
    return str(failure).rpartition(">: ")[2] or type(failure).__name__


def _step(status: int) -> str:
    if status in (401, 403, 407):
        return "the server, or a proxy before it, refuses us; is this address meant for everybody?"
    return "is there such a version? Versions and addresses stand in the file of sources (--sources)"
