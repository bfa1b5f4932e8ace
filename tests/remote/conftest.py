"""A real sshd of our own on loopback, with its own keys, configuration and port."""

from __future__ import annotations

import os
import pwd
import random
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

USER = pwd.getpwuid(os.getuid()).pw_name


@dataclass(frozen=True)
class SshServer:
    """A running server: where it listens, its public key, and the private key it lets in."""

    port: int
    host_key: str
    login_key: Path
    process: subprocess.Popen[bytes]


def keygen(path: Path, kind: str = "ed25519") -> str:
    """Make a key pair; return the public key's kind and text."""
    subprocess.run(("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)), check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def free_port() -> int:
    """Return a port that is free at every address, over TCP and UDP, and that no connection is given meanwhile."""
    first_given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    # hypothesis seeds everybody's generator alike: two processes would ask for the same ports.
    for port in random.SystemRandom().sample(range(first_given * 3 // 4, first_given), 100):
        with (
            suppress(OSError),
            socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True),
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as datagrams,
        ):
            datagrams.bind(("::", port))
            return port
    raise RuntimeError(f"of a hundred ports below {first_given} none is free")


def serve(folder: Path, login_key: Path, kind: str = "ed25519", options: str = "") -> SshServer:
    """
    Start an sshd on a port of its own and wait until it answers; `options` are further lines of its configuration.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    host_key = keygen(folder / "host_key", kind)
    (folder / "authorized_keys").write_text(login_key.with_suffix(".pub").read_text())
    port = free_port()
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host_key\nAuthorizedKeysFile {folder}/authorized_keys\n"
        "PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nMaxStartups "
        "200\nMaxSessions 50\n"
        f"{options}"
    )
    process = subprocess.Popen(("/usr/sbin/sshd", "-D", "-f", str(folder / "config")), stderr=subprocess.DEVNULL)
    await_port(port)
    return SshServer(port, host_key, login_key, process)


def await_port(port: int, seconds: float = 10.0) -> None:
    """Wait until something listens on a port of 127.0.0.1."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        threading.Event().wait(0.02)
    raise TimeoutError(f"nothing listens on port {port}")


@pytest.fixture(scope="session")
def login_key(tmp_path_factory: pytest.TempPathFactory, real_machine: None) -> Path:
    """The private key that the test servers let in."""
    path = tmp_path_factory.mktemp("login") / "key"
    keygen(path)
    return path


def serving(folder: Path, login_key: Path) -> Iterator[SshServer]:
    """Serve for as long as the fixture lasts."""
    server = serve(folder, login_key)
    yield server
    server.process.kill()
    server.process.wait()


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory, login_key: Path) -> Iterator[SshServer]:
    """A server that lasts as long as the tests."""
    yield from serving(tmp_path_factory.mktemp("sshd"), login_key)


@pytest.fixture
def second_sshd(tmp_path_factory: pytest.TempPathFactory, login_key: Path) -> Iterator[SshServer]:
    """A server that a test may stop."""
    yield from serving(tmp_path_factory.mktemp("sshd"), login_key)


@pytest.fixture
def fake_server() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """Start TCP servers that treat every connection as a function says; give their ports."""
    listeners: list[socket.socket] = []

    def begin(treat: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=_accept, args=(listener, treat), daemon=True).start()
        return int(listener.getsockname()[1])

    yield begin
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _accept(listener: socket.socket, treat: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_treat, args=(connection, treat), daemon=True).start()


def _treat(connection: socket.socket, treat: Callable[[socket.socket], None]) -> None:
    with connection, suppress(OSError):
        treat(connection)
