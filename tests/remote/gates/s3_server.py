"""A small S3: enough for a contract, and as wrong as a test wants it."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_CREDENTIAL = re.compile(r"Credential=([^/]+)/")


@dataclass
class SmallS3:
    """
    The one access key may come in, with whatever secret. `everybody` may too, or whoever is `anonymous`; `alter` spoils
    what is read, `refuse` answers requests by a word instead.
    """

    port: int = 0
    access: str = "synapse"
    objects: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    everybody: bool = False
    anonymous: bool = False
    alter: Callable[[str, bytes], bytes] = lambda _name, content: content
    refuse: Callable[[str, str, dict[str, list[str]]], str] = lambda _method, _name, _query: ""
    hidden: bool = False
    deletes: bool = True


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[SmallS3]:
    """Serve until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    storage = SmallS3(server.server_address[1])
    server.storage = storage  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield storage
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        storage: SmallS3 = self.server.storage
        body = self._body()
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        name = unquote(parts.path).partition("/")[2].partition("/")[2]
        found = _CREDENTIAL.search(self.headers.get("Authorization", ""))
        known = storage.everybody or (found and found[1] == storage.access)
        code = "" if known else "InvalidAccessKeyId"
        code = code or storage.refuse(self.command, name, query)
        if storage.anonymous and not found:
            code = ""
        if code:
            self._error(code, name)
        else:
            getattr(self, f"_{self.command.lower()}")(storage, name, query, body)

    def _get(self, storage: SmallS3, name: str, query: dict[str, list[str]], _body: bytes) -> None:
        if not name:
            self._list(storage, query)
        elif name not in storage.objects:
            self._error("NoSuchKey", name)
        else:
            content = storage.alter(name, storage.objects[name])
            status = 200
            if wanted := self.headers.get("Range"):
                low, high = wanted.removeprefix("bytes=").split("-")
                content, status = content[int(low) : int(high) + 1 if high else None], 206
            self._answer(status, content)

    _head = _get

    def _put(self, storage: SmallS3, name: str, query: dict[str, list[str]], body: bytes) -> None:
        if "partNumber" in query:
            storage.parts[query["uploadId"][0]][int(query["partNumber"][0])] = body
        else:
            storage.objects[name] = body
        self._answer(200, b"", {"ETag": '"e"'})

    def _post(self, storage: SmallS3, name: str, query: dict[str, list[str]], _body: bytes) -> None:
        if "uploads" in query:
            storage.parts["1"] = {}
            text = f"<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>{name}</Key><UploadId>1</UploadId>"
            self._answer(200, f"{text}</InitiateMultipartUploadResult>".encode())
        else:
            pieces = storage.parts.pop(query["uploadId"][0])
            storage.objects[name] = b"".join(pieces[number] for number in sorted(pieces))
            text = f"<CompleteMultipartUploadResult><Bucket>b</Bucket><Key>{name}</Key><ETag>e</ETag>"
            self._answer(200, f"{text}<Location>l</Location></CompleteMultipartUploadResult>".encode())

    def _delete(self, storage: SmallS3, name: str, _query: dict[str, list[str]], _body: bytes) -> None:
        if storage.deletes:
            storage.objects.pop(name, None)
        self._answer(204, b"")

    def _list(self, storage: SmallS3, query: dict[str, list[str]]) -> None:
        prefix = query.get("prefix", [""])[0]
        names = [] if storage.hidden else sorted(name for name in storage.objects if name.startswith(prefix))
        entries = "".join(
            f"<Contents><Key>{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>e</ETag>"
            f"<Size>{len(storage.objects[name])}</Size></Contents>"
            for name in names
        )
        text = f"<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
        self._answer(200, text.encode())

    def _error(self, code: str, name: str) -> None:
        status = 404 if code == "NoSuchKey" else 403
        text = f"<Error><Code>{code}</Code><Message>no</Message><Resource>/{name}</Resource>"
        self._answer(status, f"{text}<RequestId>1</RequestId></Error>".encode(), {"Content-Type": "application/xml"})

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        usual = {"Content-Length": str(len(content)), "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "ETag": '"e"'}
        for key, value in {**usual, **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(content)

    def _body(self) -> bytes:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return content
        plain = b""
        while content:
            head, _, rest = content.partition(b"\r\n")
            length = int(head.partition(b";")[0], 16)
            plain, content = plain + rest[:length], rest[length + 2 :]
            if not length:
                break
        return plain

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815
