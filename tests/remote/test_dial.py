"""Servers that are slow, lie, changed or are not there: each is told apart, in bounded time."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.common import AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from model.errors import HostError, HostKeyChanged, HostKeyUnknown, Unreachable
from remote.dial import connect, server_key
from remote.proof import banner, prove
from remote.route import Route
from remote.transport import connection_slot
from tests.remote.conftest import SshServer, free_port, keygen

Fake = Callable[[Callable[[socket.socket], None]], int]
SECONDS = 1.5


def route_to(port: int, key: Path, known: Path, **extras: Any) -> Route:
    return Route(
        name="h-1",
        address="127.0.0.1",
        port=port,
        username="root",
        known_hosts=known,
        key_files=(key,),
        agent=False,
        seconds=SECONDS,
        **extras,
    )


def known_hosts(folder: Path, port: int, text: str) -> Path:
    path = folder / "known_hosts"
    path.write_text(f"[127.0.0.1]:{port} {text}\n")
    return path


def failure(route: Route) -> HostError:
    began = time.monotonic()
    with pytest.raises(HostError) as caught:
        connect(route)
    assert time.monotonic() - began < SECONDS + 1
    return caught.value


def silent(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def garbage(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 500)
    connection.recv(100_000)


def dripping(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def greets_and_sleeps(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    while connection.recv(65536):
        pass


def hangs_up(connection: socket.socket) -> None:
    connection.close()


@pytest.mark.parametrize("behaviour", [silent, garbage, dripping, greets_and_sleeps, hangs_up])
def test_what_does_not_speak_ssh_is_unreachable_in_bounded_time(
    behaviour: Callable[[socket.socket], None], fake_server: Fake, login_key: Path, tmp_path: Path
) -> None:
    error = failure(route_to(fake_server(behaviour), login_key, tmp_path / "none"))
    assert isinstance(error, Unreachable)
    assert error.host == "h-1"
    assert error.message


def test_a_silent_server_is_named_so(fake_server: Fake, login_key: Path, tmp_path: Path) -> None:
    error = failure(route_to(fake_server(silent), login_key, tmp_path / "none"))
    assert "does not speak SSH within 1.5 s" in error.message


def test_nobody_at_the_port(login_key: Path, tmp_path: Path) -> None:
    assert "Connection refused" in failure(route_to(free_port(), login_key, tmp_path / "none")).message


def test_a_name_without_an_address(login_key: Path, tmp_path: Path) -> None:
    route = Route(
        name="h-1",
        address="no.such.host.invalid",
        port=22,
        username="root",
        known_hosts=tmp_path / "none",
        key_files=(login_key,),
        agent=False,
    )
    assert "no.such.host.invalid" in failure(route).message


def test_a_recorded_key_lets_in(sshd: SshServer, tmp_path: Path) -> None:
    client, line = connect(route_to(sshd.port, sshd.login_key, known_hosts(tmp_path, sshd.port, sshd.host_key)))
    client.close()
    line.close()
    assert line.socket.fileno() == -1


def test_an_unknown_key_is_refused_and_shown(sshd: SshServer, tmp_path: Path) -> None:
    error = failure(route_to(sshd.port, sshd.login_key, tmp_path / "none"))
    assert isinstance(error, HostKeyUnknown)
    assert "SHA256:" in error.message
    assert "flows.trust" in error.next_step


def test_a_changed_key_is_refused_and_both_are_shown(sshd: SshServer, tmp_path: Path) -> None:
    other = keygen(tmp_path / "other")
    error = failure(route_to(sshd.port, sshd.login_key, known_hosts(tmp_path, sshd.port, other)))
    assert isinstance(error, HostKeyChanged)
    assert error.message.count("SHA256:") == 2


def test_a_key_recorded_for_another_port_admits_nobody(sshd: SshServer, tmp_path: Path) -> None:
    error = failure(route_to(sshd.port, sshd.login_key, known_hosts(tmp_path, sshd.port + 1, sshd.host_key)))
    assert isinstance(error, HostKeyUnknown)


def test_another_kind_of_key_does_not_pass_for_the_recorded_one(sshd: SshServer, tmp_path: Path) -> None:
    other = keygen(tmp_path / "other", "ecdsa")
    error = failure(route_to(sshd.port, sshd.login_key, known_hosts(tmp_path, sshd.port, other)))
    assert isinstance(error, HostKeyChanged)


def test_a_wrong_login_key_is_said_with_its_name(sshd: SshServer, tmp_path: Path) -> None:
    keygen(tmp_path / "mine")
    error = failure(route_to(sshd.port, tmp_path / "mine", known_hosts(tmp_path, sshd.port, sshd.host_key)))
    assert isinstance(error, Unreachable)
    assert f"refuses user `root` with {tmp_path / 'mine'}" in error.message


def test_a_login_key_that_is_missing(sshd: SshServer, tmp_path: Path) -> None:
    error = failure(route_to(sshd.port, tmp_path / "gone", known_hosts(tmp_path, sshd.port, sshd.host_key)))
    assert "gone does not exist" in error.message


def test_a_locked_login_key_is_used_through_the_agent(
    sshd: SshServer, agent: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "locked"
    locked.write_bytes(sshd.login_key.read_bytes())
    locked.chmod(0o600)
    subprocess.run(("ssh-add", "-q", str(locked)), check=True)
    subprocess.run(("ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(locked)), check=True)
    known = known_hosts(tmp_path, sshd.port, sshd.host_key)
    client, line = connect(route_to(sshd.port, locked, known))
    client.close()
    line.close()
    subprocess.run(("ssh-add", "-q", "-D"), check=True)
    assert isinstance(failure(route_to(sshd.port, locked, known)), Unreachable)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An ssh-agent of our own."""
    path = tmp_path / "agent"
    with subprocess.Popen(("ssh-agent", "-D", "-a", str(path)), stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 5
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        yield
        process.kill()


def test_the_servers_key_is_fetched_without_logging_in(sshd: SshServer, tmp_path: Path) -> None:
    key = server_key(route_to(sshd.port, tmp_path / "no-key-needed", tmp_path / "none"))
    assert f"{key.get_name()} {key.get_base64()}" == sshd.host_key


def test_a_greeting_is_proof_and_garbage_is_none(sshd: SshServer, fake_server: Fake, tmp_path: Path) -> None:
    assert banner(route_to(sshd.port, tmp_path, tmp_path), 2) is not None
    for behaviour in (silent, garbage, hangs_up, dripping):
        began = time.monotonic()
        with pytest.raises(Unreachable, match="no SSH greeting"):
            banner(route_to(fake_server(behaviour), tmp_path, tmp_path), 0.5)
        assert time.monotonic() - began < 1.5


class _LetsInAndSleeps(paramiko.ServerInterface):
    def check_auth_publickey(self, _username: str, _key: paramiko.PKey) -> int:
        return AUTH_SUCCESSFUL

    def get_allowed_auths(self, _username: str) -> str:
        return "publickey"

    def check_channel_request(self, _kind: str, _chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, _channel: paramiko.Channel, _command: bytes) -> bool:
        time.sleep(SECONDS * 3)
        return False


def test_a_host_that_lets_in_and_runs_nothing_is_no_proof(fake_server: Fake, login_key: Path, tmp_path: Path) -> None:
    key = paramiko.ECDSAKey.generate()

    def lets_in(connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        transport.add_server_key(key)
        transport.start_server(server=_LetsInAndSleeps())
        transport.join(SECONDS * 4)

    port = fake_server(lets_in)
    known = known_hosts(tmp_path, port, f"{key.get_name()} {key.get_base64()}")
    began = time.monotonic()
    with pytest.raises(Unreachable, match="runs no command"):
        prove(route_to(port, login_key, known), SECONDS)
    assert time.monotonic() - began < SECONDS + 1


def test_nothing_of_a_failure_reaches_the_terminal(
    fake_server: Fake, login_key: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    failure(route_to(fake_server(garbage), login_key, tmp_path / "none"))
    failure(route_to(fake_server(hangs_up), login_key, tmp_path / "none"))
    assert capfd.readouterr() == ("", "")


def test_no_file_descriptor_stays_open(sshd: SshServer, fake_server: Fake, tmp_path: Path) -> None:
    port = fake_server(hangs_up)
    known = known_hosts(tmp_path, sshd.port, sshd.host_key)
    failure(route_to(port, sshd.login_key, tmp_path / "none"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        failure(route_to(port, sshd.login_key, tmp_path / "none"))
        client, line = connect(route_to(sshd.port, sshd.login_key, known))
        client.close()
        line.close()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


@pytest.mark.parametrize("proof", [prove, banner])
@pytest.mark.parametrize("freed", [None, 0.6])
def test_a_proof_waits_for_its_turn_no_longer_than_it_may_take(
    proof: Callable[[Route, float], object], freed: float | None, tmp_path: Path
) -> None:
    silence = ("sleep", "60")
    route = route_to(22, tmp_path / "key", tmp_path / "known", proxy=silence, via=f"crowded-{proof.__name__}-{freed}")
    with ExitStack() as crowd:
        for _ in range(8):
            crowd.enter_context(connection_slot(route))
        if freed is not None:
            leaving = crowd.pop_all()
            threading.Timer(freed, leaving.close).start()
        began = time.monotonic()
        with pytest.raises(Unreachable, match="no turn" if freed is None else None):
            proof(route, 1.2)
        assert 1.0 < time.monotonic() - began < 2.2
