"""Connections that begin elsewhere, over a real sshd: on a host, and in another network on it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from nornir.core.inventory import Host

from apps.message_probe.wire import Connection, Origin
from flows._fleet.hosts import close
from flows._fleet.inventory import inventory
from remote.collector.session import ask_names
from remote.gates.redis_client import client
from remote.gates.relay import from_host, from_network_of
from tests.remote.conftest import (  # noqa: F401 - fixtures
    SshServer,
    fake_server,
    free_port,
    login_key,
    sshd,
)
from tests.remote.gates.redis_server import SmallRedis
from tests.remote.gates.web import Reply, serving
from tests.remote.sites import write_site

LARGE = os.urandom(3_000_000)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, sshd: SshServer) -> Iterator[Host]:  # noqa: F811
    """A host that is this machine, over SSH."""
    folder = tmp_path_factory.mktemp("site")
    nr = inventory(write_site(folder, {"h-1": sshd.port}, {sshd.port: sshd.host_key}, sshd.login_key))
    yield nr.inventory.hosts["h-1"]
    close(nr)


@pytest.fixture
def apart() -> Iterator[int]:
    """A process in a network of its own, where something answers on port 7 of loopback with where it is."""
    program = (
        "import socket; s = socket.create_server(('127.0.0.1', 7)); print('ready', flush=True)\n"
        "while True: c, _ = s.accept(); c.sendall(b'inside'); c.close()"
    )
    with _in_own_network(program) as process:
        yield process


@contextmanager
def _in_own_network(program: str) -> Iterator[int]:
    """Run a program that says `ready` in a network of its own; give its process."""
    script = f'ip link set lo up && exec {sys.executable} -c "$0"'
    process = subprocess.Popen(("unshare", "--net", "sh", "-c", script, program), stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield process.pid
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_connection_begins_on_the_host(host: Host) -> None:
    with serving(lambda *_: Reply(200, LARGE)) as port:
        connection = Connection(Origin(name="web", port=80, dial=from_host(host, "127.0.0.1", port)))
        assert connection.ask("GET", "/").body == LARGE
        assert connection.ask("POST", "/", LARGE).status == 200
        connection.close()


def test_nobody_there_is_told_as_a_refusal(host: Host) -> None:
    port = free_port()
    for dial in (from_host(host, "127.0.0.1", port), from_network_of(host, os.getpid, "127.0.0.1", port)):
        with pytest.raises(ConnectionRefusedError, match=f"to 127.0.0.1 port {port}"):
            dial(30.0)


def test_a_connection_begins_in_another_network(host: Host, apart: int) -> None:
    with from_network_of(host, lambda: apart, "127.0.0.1", 7)(30.0) as connected:
        connected.settimeout(10)
        assert connected.recv(100) == b"inside"
    # Outside of it nobody listens there.
    with pytest.raises(ConnectionRefusedError):
        from_network_of(host, os.getpid, "127.0.0.1", 7)(30.0)


def test_names_are_asked_in_another_network(host: Host) -> None:
    server = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 53))\n"
        "print('ready', flush=True)\n"
        "while True: q, a = s.recvfrom(512); s.sendto(q[:2] + bytes.fromhex('8180') + q[4:], a)"
    )
    with _in_own_network(server) as process:
        prefix = ("nsenter", f"--net=/proc/{process}/ns/net")
        heard = ask_names(host, ("127.0.0.1",), ("a.test",), prefix)
    assert [(answer.name, answer.version) for answer in heard.answers["127.0.0.1"]] == [("a.test", 4), ("a.test", 6)]
    # Outside of it nobody listens there.
    assert "127.0.0.1" in ask_names(host, ("127.0.0.1",), ("a.test",)).why


def test_bytes_pass_both_ways_at_once(host: Host) -> None:
    def echo(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=echo, args=(server,), daemon=True)
        answering.start()
        with from_network_of(host, os.getpid, "127.0.0.1", server.getsockname()[1])(30.0) as connected:
            connected.settimeout(30)
            threading.Thread(target=connected.sendall, args=(LARGE,), daemon=True).start()
            back = bytearray()
            while len(back) < len(LARGE):
                back += connected.recv(1 << 18)
        answering.join(10)
    assert bytes(back) == LARGE


def test_a_library_speaks_through_it(host: Host, fake_server: object) -> None:  # noqa: F811
    port = fake_server(SmallRedis(info={"role": "master"}).treat)  # type: ignore[operator]
    with client(from_network_of(host, os.getpid, "127.0.0.1", port), "of a test") as speaking:
        assert speaking.info("replication")["role"] == "master"


def test_a_process_that_is_gone_is_told_of(host: Host) -> None:
    with pytest.raises(ConnectionError, match="the relay on h-1 did not start"):
        from_network_of(host, lambda: 4_000_000, "127.0.0.1", 7)(30.0)
