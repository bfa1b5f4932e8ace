"""A small HTTPS server that wants a client certificate, for tests of the way to the Kubernetes API."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.remote.authority import Authority

Reply = Callable[[str, str], tuple[int, dict[str, Any]]]


@dataclass
class FakeApi:
    """Where it listens, what it was asked, and what it replies."""

    port: int
    reply: Reply
    asked: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


@contextmanager
def fake_api(folder: Path, authority: Authority, name: str, reply: Reply) -> Iterator[FakeApi]:
    """Serve until the block ends, with a certificate good for `name`."""
    certificate, key = authority.issue(f"server-{name}", "server", name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authority.path)
    context.verify_mode = ssl.CERT_REQUIRED
    server = ThreadingHTTPServer(("127.0.0.1", 0), _ApiHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    api = FakeApi(server.server_address[1], reply)
    server.api = api  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield api
    server.shutdown()
    server.server_close()
    thread.join()


class _ApiHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _do(self) -> None:
        api: FakeApi = self.server.api  # type: ignore[attr-defined]
        api.asked.append(f"{self.command} {self.path}")
        api.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        status, document = api.reply(self.command, self.path)
        if status == 0:
            self.close_connection = True
            return
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_DELETE = _do  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""
