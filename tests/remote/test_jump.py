"""Connections through a jump host, all of it real OpenSSH on loopback."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from nornir.core import Nornir

from flows._fleet.failure import HostFailure
from flows._fleet.hosts import close, run_on_hosts
from flows._fleet.inventory import inventory
from remote.shell import peer, reconnect_proof, run, session, tcp_banner
from tests.remote.conftest import SshServer, keygen
from tests.remote.sites import write_site


def jump_config(folder: Path, jump: SshServer, target: SshServer, known: str = "") -> Path:
    """The target by name, through the jump server; the jump server's key as `known` says."""
    path = folder / "ssh_config"
    (folder / "jump_known").write_text(known)
    path.write_text(
        f"Host target-*\n HostName 127.0.0.1\n Port {target.port}\n ProxyJump root@127.0.0.1:{jump.port}\n"
        f"Host *\n UserKnownHostsFile {folder}/jump_known\n"
    )
    return path


def through(folder: Path, jump: SshServer, target: SshServer, known_jump: str, count: int = 1) -> Nornir:
    hosts = {f"h-{n}": {"hostname": f"target-{n}"} for n in range(count)}
    site = write_site(folder / "site", hosts, {target.port: target.host_key}, target.login_key, conn_timeout=6)
    (site / "defaults.yaml").write_text((site / "defaults.yaml").read_text() + "data: {ssh_config: ../ssh_config}\n")
    jump_config(folder, jump, target, known_jump)
    return inventory(site)


@pytest.fixture
def fleet(tmp_path: Path, sshd: SshServer, second_sshd: SshServer) -> Iterator[Nornir]:
    known = f"[127.0.0.1]:{second_sshd.port} {second_sshd.host_key}\n"
    nr = through(tmp_path, second_sshd, sshd, known, 12)
    yield nr
    close(nr)


def test_commands_and_proofs_go_through_the_jump_host(fleet: Nornir, sshd: SshServer) -> None:
    host = fleet.inventory.hosts["h-0"]
    assert run(host, ("echo", "hi")).stdout == b"hi\n"
    assert peer(host).server_port == sshd.port
    assert reconnect_proof(host, 8) > 0
    assert tcp_banner(host, 8) is None
    assert run(host, ("cat",), stdin=bytes(3_000_000), timeout=60).stdout == bytes(3_000_000)


def test_many_hosts_share_a_jump_host(fleet: Nornir) -> None:
    names = list(fleet.inventory.hosts)
    codes = run_on_hosts(fleet, lambda host: run(host, ("true",)).exit_code, names=names)
    assert codes == dict.fromkeys(names, 0)


def test_closing_ends_the_proxy_process(fleet: Nornir) -> None:
    host = fleet.inventory.hosts["h-0"]
    stream = session(host).stream
    assert stream is not None
    assert stream.proxy is not None
    assert stream.proxy.poll() is None
    host.close_connections()
    assert stream.proxy.poll() is not None


def test_a_jump_host_that_dies_is_noticed_at_once(fleet: Nornir, second_sshd: SshServer) -> None:
    host = fleet.inventory.hosts["h-0"]
    stream = session(host).stream
    assert stream is not None
    assert stream.proxy is not None
    second_sshd.process.kill()
    stream.proxy.terminate()
    began = time.monotonic()
    failed = run_on_hosts(fleet, lambda host: run(host, ("true",)), names=["h-0"])["h-0"]
    assert isinstance(failed, HostFailure)
    assert "Connection refused" in failed.message
    assert time.monotonic() - began < 5


def test_an_unknown_jump_key_is_refused(tmp_path: Path, sshd: SshServer, second_sshd: SshServer) -> None:
    nr = through(tmp_path, second_sshd, sshd, "")
    failed = run_on_hosts(nr, lambda host: run(host, ("true",)), names=["h-0"])["h-0"]
    assert isinstance(failed, HostFailure)
    assert "Host key verification failed" in failed.message


def test_a_changed_jump_key_is_refused(tmp_path: Path, sshd: SshServer, second_sshd: SshServer) -> None:
    other = keygen(tmp_path / "other")
    nr = through(tmp_path, second_sshd, sshd, f"[127.0.0.1]:{second_sshd.port} {other}\n")
    failed = run_on_hosts(nr, lambda host: run(host, ("true",)), names=["h-0"])["h-0"]
    assert isinstance(failed, HostFailure)
    assert "Host key verification failed" in failed.message


def test_a_jump_host_of_the_fleet_needs_no_second_record(
    tmp_path: Path, sshd: SshServer, second_sshd: SshServer
) -> None:
    nr = through(tmp_path, second_sshd, sshd, "")
    with (tmp_path / "site" / "known_hosts").open("a") as file:
        file.write(f"[127.0.0.1]:{second_sshd.port} {second_sshd.host_key}\n")
    assert run_on_hosts(nr, lambda host: run(host, ("true",)).exit_code, names=["h-0"]) == {"h-0": 0}
    close(nr)
