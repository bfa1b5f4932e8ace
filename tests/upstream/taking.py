"""Registries that take images: Debian's own program, and one that can be told to lie and to refuse."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType

import bcrypt
import yaml

from tests.readers import environment, listens, unpacked
from tests.remote.authority import Authority
from tests.remote.conftest import free_port
from tests.upstream.web import sha256

USER, PASSWORD = "pusher", "not-in-any-log-4711"
_SECONDS = 20.0
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class RunningRegistry:
    """Debian's docker-registry on loopback; `log` has a line for each request."""

    address: str
    log: Path

    def sent(self) -> int:
        """Return how many requests sent something."""
        return sum(self.log.read_text().count(f'"{method} /v2/') for method in ("POST", "PUT", "PATCH"))


@contextmanager
def registry(folder: Path, authority: Authority | None = None, *, login: bool = False) -> Iterator[RunningRegistry]:
    """Run the program until the block ends, with TLS where there is an authority."""
    port = free_port()
    served: dict[str, object] = {"addr": f"127.0.0.1:{port}"}
    if authority is not None:
        certificate, key = authority.issue("registry", "registry", "127.0.0.1")
        served["tls"] = {"certificate": str(certificate), "key": str(key)}
    config: dict[str, object] = {"version": "0.1", "http": served}
    config |= {"storage": {"filesystem": {"rootdirectory": str(folder / "storage")}}}
    if login:
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        (folder / "htpasswd").write_text(f"{USER}:{hashed}\n")
        config["auth"] = {"htpasswd": {"realm": "registry", "path": str(folder / "htpasswd")}}
    (folder / "registry.yml").write_text(yaml.safe_dump(config))
    command = [str(unpacked("usr/bin/docker-registry")), "serve", str(folder / "registry.yml")]
    log = folder / "registry.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        assert listens(process, port), log.read_text()
        yield RunningRegistry(f"{'https' if authority else 'http'}://127.0.0.1:{port}", log)
    finally:
        process.kill()
        process.wait(_SECONDS)


@dataclass
class Taker:
    """
    What was taken, by path. `status`: what a method is answered instead. `says`: the digest that answers to PUT name.
    `shows`: what a manifest is read as. `nods`: what HEAD says of everything, with 200. `broken`: how many uploads
    break off first. `realm`: where tokens are had.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    says: str = ""
    shows: bytes = b""
    nods: Mapping[str, str] | None = None
    location: str = "/upload?state=1"
    broken: int = 0
    realm: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def taking() -> Iterator[Taker]:
    """Serve on a port of loopback until the block ends."""
    taker = Taker()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_TakerHandler,), {"taker": taker}))
    taker.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield taker
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _TakerHandler(BaseHTTPRequestHandler):
    taker: Taker
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        if self.taker.nods is None:
            self._read()
        elif not self._refused():
            self.send_response(200)
            for name, value in self.taker.nods.items():
                self.send_header(name, value)
            self.end_headers()

    def do_GET(self) -> None:
        self._read()

    def _read(self) -> None:
        taker, path = self.taker, self.path.partition("?")[0]
        if path == "/token":
            taker.asked.append(("GET", self.path, self.headers.get("Authorization", "")))
            self._send(200, json.dumps({"token": "ours"}).encode())
        elif not self._refused():
            data = taker.shows if taker.shows and "/manifests/" in path else taker.files.get(path)
            self._send(200 if data is not None else 404, data or b"")

    def do_POST(self) -> None:
        if not self._refused():
            self._send(202, b"", {"Location": self.taker.location})

    def do_PUT(self) -> None:
        taker = self.taker
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self._refused():
            return
        if "digest=" in self.path and taker.broken:
            taker.broken -= 1
            self.close_connection = True
            return
        digest = f"sha256:{sha256(data)}"
        taker.files[self.path if "/manifests/" in self.path else f"/v2/matrix/group/synapse/blobs/{digest}"] = data
        self._send(201, b"", {"Docker-Content-Digest": taker.says or digest})

    def _refused(self) -> bool:
        taker, shown = self.taker, self.headers.get("Authorization", "")
        taker.asked.append((self.command, self.path, shown))
        if taker.realm and shown != "Bearer ours":
            challenge = f'Bearer realm="{taker.realm}",service="s",scope="x:pull,push"'
            self._send(401, b"", {"WWW-Authenticate": challenge})
            return True
        if status := taker.status.get(self.command):
            self._send(status, b'{"errors":[{"code":"DENIED"}]}')
            return True
        return False

    def _send(self, status: int, data: bytes, headers: Mapping[str, str] = NO_HEADERS) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
