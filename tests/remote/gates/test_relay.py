"""Connections that begin elsewhere, over a real sshd: on a host, and in another network on it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from nornir.core.inventory import Host

from apps.message_probe.wire import Connection, Origin
from flows._fleet.hosts import close
from flows._fleet.inventory import inventory
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
