"""HAProxy itself, as control planes run it: a busy API server keeps its clients, a dead one loses them."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tasks.render import render
from tests.haproxy import haproxy_program
from tests.remote.authority import Authority
from tests.remote.conftest import free_port

pytestmark = pytest.mark.machine
# How long it takes a busy API server to say that it is ready.
_BUSY_SECONDS = 1.6


class ApiServer:
    """Says over TLS that it is ready, after a while, and keeps all other connections open."""

    def __init__(self, folder: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*Authority(folder).issue("api", "kube-apiserver", "127.0.0.1"))
        self.listener = socket.create_server(("127.0.0.1", free_port()))
        self.port = int(self.listener.getsockname()[1])
        self.answered = threading.Semaphore(0)
        self.busy = False
        self.over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self.listener.accept()[:1], daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError), closing(self.context.wrap_socket(plain, server_side=True)) as client:
            if client.recv(4096).startswith(b"GET /readyz"):
                time.sleep(_BUSY_SECONDS if self.busy else 0)
                client.sendall(b"HTTP/1.0 200 OK\r\n\r\nok")
                self.answered.release()
            else:
                client.sendall(b"kept")
                self.over.wait()

    def die(self) -> None:
        """Take no connection any more; those that there are fall silent, as where the power went."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@contextmanager
def balanced(folder: Path, server: ApiServer, *changed: tuple[str, str]) -> Iterator[socket.socket]:
    """A client's connection through a balancer whose configuration is `changed`."""
    port = free_port()
    text = render("node/haproxy.cfg", port=port, servers=[("cp-1", "127.0.0.1")])
    for old, new in ((":6443", f":{server.port}"), ("    user haproxy\n    group haproxy\n", ""), *changed):
        assert old in text
        text = text.replace(old, new)
    path, log = folder / "haproxy.cfg", folder / "log"
    path.write_text(text)
    argv = [haproxy_program(), "-db", "-f", str(path)]
    with log.open("wb") as out, subprocess.Popen(argv, stdout=out, stderr=out) as process:
        try:
            with closing(_client(port, log)) as client:
                yield client
        finally:
            process.kill()


def _client(port: int, log: Path) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    end = time.monotonic() + 20
    while True:
        try:
            client = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10))
            client.sendall(b"watch")
            assert client.recv(4) == b"kept"
        except OSError:
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        else:
            return client


def _cut_within(client: socket.socket, seconds: float) -> bool:
    client.settimeout(seconds)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    running = ApiServer(tmp_path)
    yield running
    with suppress(OSError):
        running.die()
    running.over.set()


def test_a_busy_server_keeps_its_clients(server: ApiServer, tmp_path: Path) -> None:
    with balanced(tmp_path, server) as client:
        server.busy = True
        for _ in range(4):
            assert server.answered.acquire(timeout=20)
        assert not _cut_within(client, 0.2)


def test_without_patience_a_busy_server_loses_them(server: ApiServer, tmp_path: Path) -> None:
    with balanced(tmp_path, server, ("timeout check 5s", "timeout check 1s")) as client:
        server.busy = True
        assert _cut_within(client, 20)


def test_a_dead_server_loses_them_soon(server: ApiServer, tmp_path: Path) -> None:
    with balanced(tmp_path, server) as client:
        assert server.answered.acquire(timeout=20)
        server.die()
        assert _cut_within(client, 8)
