"""A proxy before a homeserver that names its pools as ours does, and disturbs what a test wants disturbed."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Alter = Callable[["Passing"], None]


@dataclass
class Passing:
    """A request and its answer on their way; `broken` closes the connection instead of answering."""

    method: str
    path: str
    token: str
    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    broken: bool = False


@dataclass
class Proxy:
    """
    `before` sees each request and may answer it (set `status`), `after` each answer; `pool` names who answered.

    `uploaded` is the latest upload.
    """

    port: int
    before: Alter = lambda _passing: None
    after: Alter = lambda _passing: None
    pool: Callable[[Passing], str] = lambda _passing: ""
    uploaded: bytes = b""


@contextmanager
def proxied(port: int, tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """Run a proxy before 127.0.0.1:port until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    proxy = Proxy(server.server_address[1])
    server.proxy, server.behind = proxy, port  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        proxy: Proxy = self.server.proxy
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "/media/v3/upload" in self.path:
            proxy.uploaded = content
        passing = Passing(self.command, self.path, self.headers.get("Authorization", ""))
        proxy.before(passing)
        if not passing.status and not passing.broken:
            self._forward(passing, content)
            proxy.after(passing)
        if passing.broken:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(passing.status)
        pool = proxy.pool(passing)
        headers = {**passing.headers, **({"X-Matrix-Fleet-Pool": pool} if pool else {})}
        for name, value in {**headers, "Content-Length": str(len(passing.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        # A client that is closing no longer reads.
        with suppress(OSError):
            self.wfile.write(passing.body)

    def _forward(self, passing: Passing, content: bytes) -> None:
        behind = HTTPConnection("127.0.0.1", self.server.behind, timeout=60)
        wanted = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        behind.request(passing.method, passing.path, content or None, wanted)
        answer = behind.getresponse()
        passing.status, passing.body = answer.status, answer.read()
        passing.headers = {"Content-Type": answer.headers.get("Content-Type", "")}
        behind.close()

    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = _handle  # noqa: N815


def place(passing: Passing) -> str:
    """Return a request's path without its query."""
    return urlsplit(passing.path).path
