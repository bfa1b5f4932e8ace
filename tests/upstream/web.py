"""A publisher's web server and image registry on loopback: files by path, ranges, tokens, broken lines."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "let-me-in"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Web:
    """
    What is served. `cut`: after how many bytes of a path the line breaks, for each of the next answers. `asked`: path
    and range of every request for a body. `moved`: where a path is redirected to. `busy`: paths that answer 503 so many
    times.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    media: dict[str, str] = field(default_factory=dict)
    cut: dict[str, list[int]] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    busy: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    authorizations: list[tuple[str, str]] = field(default_factory=list)
    ranges: bool = True

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def put(self, path: str, data: bytes, media: str = "application/octet-stream") -> str:
        """Serve a file; return its address."""
        self.files[path], self.media[path] = data, media
        return f"{self.address}{path}"

    def image(
        self, name: str, tag: str, architectures: tuple[str, ...] = ("amd64", "arm64"), layer: bytes = b"layer"
    ) -> str:
        """Serve an image for some platforms under a list; return the list's digest."""
        listed = []
        for architecture in architectures:
            digest, size = self.platform(name, architecture, layer)
            platform = {"os": "linux", "architecture": architecture}
            listed.append({"mediaType": MANIFEST, "digest": digest, "size": size, "platform": platform})
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).encode()
        return self.manifest(name, tag, index, INDEX)

    def platform(self, name: str, architecture: str, layer: bytes = b"layer") -> tuple[str, int]:
        """Serve an image of one platform; return its manifest's digest and size."""
        shown = json.dumps({"os": "linux", "architecture": architecture, "image": name}).encode()
        parts = [(CONFIG, shown), (LAYER, layer), (LAYER, f"{name} {architecture}".encode() * 1000)]
        for _, data in parts:
            self.put(f"/v2/{name}/blobs/sha256:{sha256(data)}", data)
        descriptors = [
            {"mediaType": media, "digest": f"sha256:{sha256(data)}", "size": len(data)} for media, data in parts
        ]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptors[0], "layers": descriptors[1:]}
        data = json.dumps(manifest).encode()
        return self.manifest(name, "", data, MANIFEST), len(data)

    def manifest(self, name: str, tag: str, data: bytes, media: str) -> str:
        digest = f"sha256:{sha256(data)}"
        for reference in filter(None, (tag, digest)):
            self.put(f"/v2/{name}/manifests/{reference}", data, media)
        return digest


@contextmanager
def serving() -> Iterator[Web]:
    """Serve on a port of loopback until the block ends."""
    web = Web()
    handler = type("Handler", (_WebHandler,), {"web": web})
    server = _Server(("127.0.0.1", 0), handler)
    web.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Clients that hang up are part of the tests."""


class _WebHandler(BaseHTTPRequestHandler):
    web: Web
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, *, body: bool) -> None:
        web, path = self.web, self.path.partition("?")[0]
        web.authorizations.append((path, self.headers.get("Authorization", "")))
        if path == "/token":
            return self._send(200, json.dumps({"token": TOKEN}).encode(), {}, body)
        if path.startswith("/v2/") and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            repository = path.removeprefix("/v2/").partition("/manifests/")[0].partition("/blobs/")[0]
            shown = f'Bearer realm="{web.address}/token",service="test",scope="repository:{repository}:pull"'
            return self._send(401, b"{}", {"WWW-Authenticate": shown}, body)
        if web.busy.get(path, 0) > 0:
            web.busy[path] -= 1
            return self._send(503, b"", {}, body)
        if path in web.moved:
            return self._send(307, b"", {"Location": web.moved[path]}, body)
        if path not in web.files:
            return self._send(404, b"not here", {}, body)
        wanted = self.headers.get("Range", "") if web.ranges else ""
        if body:
            web.asked.append((path, wanted))
        data = web.files[path]
        headers = {"Content-Type": web.media.get(path, "application/octet-stream")}
        if wanted:
            begin = int(wanted.removeprefix("bytes=").rstrip("-"))
            if begin >= len(data):
                return self._send(416, b"", {"Content-Range": f"bytes */{len(data)}"}, body)
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
            return self._send(206, data[begin:], headers, body)
        return self._send(200, data, headers, body)

    def _send(self, status: int, data: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        path = self.path.partition("?")[0]
        if not body:
            return
        cuts = self.web.cut.get(path)
        if cuts and status in (200, 206):
            self.wfile.write(data[: cuts.pop(0)])
            self.close_connection = True
            return
        self.wfile.write(data)
