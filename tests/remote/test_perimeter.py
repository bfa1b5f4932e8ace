"""A device's rules over a real sshd, whose commands run in a network namespace of this test."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nornir.core.inventory import Host

from flows._fleet.hosts import close
from flows._fleet.inventory import inventory
from model.errors import CommandFailed, HostError, HostKeyChanged, HostKeyUnknown, Unreachable
from model.verify.perimeter import parse
from remote.perimeter import read
from tests import namespaces
from tests.remote.conftest import SshServer, keygen, serve
from tests.remote.sites import write_site

# What a ruleset may hold that looks like a prompt, an end of line or a colour to whoever scrapes a terminal.
COMMENT = "root@router:~# $ > perimeter-# ~]#"
ADDRESSES = 12_000


@pytest.fixture(scope="module")
def space(real_machine: None) -> Iterator[str]:
    name = namespaces.add("d")
    subprocess.run(("ip", "-n", name, "link", "set", "lo", "up"), check=True)
    yield name
    namespaces.remove(name)


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory, login_key: Path, space: str) -> Iterator[SshServer]:
    folder = tmp_path_factory.mktemp("device")
    sshd = serve(folder, login_key)
    public = (folder / "authorized_keys").read_text()
    # As if the device were one of its own: whatever is asked for runs in the namespace.
    (folder / "authorized_keys").write_text(
        f'command="ip netns exec {space} /bin/sh -c \\"$SSH_ORIGINAL_COMMAND\\"" {public}'
    )
    yield sshd
    sshd.process.terminate()
    sshd.process.wait(10)


def load(space: str, text: str) -> None:
    subprocess.run(
        ("ip", "netns", "exec", space, "nft", "-f", "-"), input=f"flush ruleset\n{text}", text=True, check=True
    )


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, device: SshServer) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("site")
    nr = inventory(write_site(folder, {"r-1": device.port}, {device.port: device.host_key}, device.login_key))
    yield nr.inventory.hosts["r-1"]
    close(nr)


def test_a_ruleset_of_half_a_megabyte_that_looks_like_prompts_arrives_whole(host: Host, space: str) -> None:
    elements = ",\n".join(f"10.{number >> 8}.{number & 255}.1" for number in range(ADDRESSES))
    rules = "".join(f'tcp dport {port} accept comment "{COMMENT}"\n' for port in range(1, 900))
    hook = "type filter hook forward priority filter; policy drop;"
    load(
        space,
        f"table inet big {{\nset many {{ type ipv4_addr; elements = {{ {elements} }} }}\nchain forward "
        f"{{\n{hook}\n{rules}}}\n}}\n",
    )
    text = read(host, "nftables")
    assert len(text) > 300_000
    perimeter = parse(text)
    assert len(perimeter.rules.sets["inet", "big", "many"].elements) == ADDRESSES
    (chain,) = perimeter.rules.base("forward", 4)
    assert len(chain.rules) == 899
    assert text.count(COMMENT) == 899
    assert {str(address) for address in perimeter.own} == {"127.0.0.1", "::1"}


def test_reading_changes_nothing(host: Host, space: str) -> None:
    load(space, "table inet small {\nset seen { type ipv4_addr; }\n}\n")
    before = subprocess.run(
        ("ip", "netns", "exec", space, "nft", "-a", "list", "ruleset"), capture_output=True, check=True
    )
    first, second = read(host, "nftables"), read(host, "nftables")
    after = subprocess.run(
        ("ip", "netns", "exec", space, "nft", "-a", "list", "ruleset"), capture_output=True, check=True
    )
    assert before.stdout == after.stdout
    assert first == second


def test_it_is_read_from_a_thread_as_well(host: Host, space: str) -> None:
    load(space, "table inet small {\n}\n")
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(read(host, "nftables")))
    thread.start()
    thread.join(30)
    assert '"small"' in json.dumps(json.loads(answers[0]))


def hosts(folder: Path, port: int, key: str | None, login: Path, **extras: object) -> Host:
    nr = inventory(write_site(folder, {"r-1": port}, {port: key} if key else {}, login, **extras))
    return nr.inventory.hosts["r-1"]


def test_a_key_that_was_never_recorded_or_has_changed_is_refused(tmp_path: Path, device: SshServer) -> None:
    with pytest.raises(HostKeyUnknown):
        read(hosts(tmp_path / "unknown", device.port, None, device.login_key), "nftables")
    other = keygen(tmp_path / "other")
    with pytest.raises(HostKeyChanged):
        read(hosts(tmp_path / "changed", device.port, other, device.login_key), "nftables")


def test_nobody_there_and_a_silent_port_are_that_devices_failure_in_bounded_time(
    tmp_path: Path, device: SshServer, fake_server: Callable[[Callable[[socket.socket], object]], int]
) -> None:
    silent = fake_server(lambda connection: connection.recv(1) and connection.recv(1))
    began = time.monotonic()
    with pytest.raises(Unreachable):
        read(hosts(tmp_path / "silent", silent, device.host_key, device.login_key, conn_timeout=1.0), "nftables")
    assert time.monotonic() - began < 8


def test_a_command_that_fails_is_named_with_what_it_said(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, login_key: Path
) -> None:
    folder = tmp_path_factory.mktemp("poor")
    sshd = serve(folder, login_key)
    public = (folder / "authorized_keys").read_text()
    script = "exec env -i PS1=$(echo $SSH_ORIGINAL_COMMAND | grep -o 'perimeter-[0-9a-f]*')'# ' PATH=/nowhere /bin/sh"
    (folder / "poor.sh").write_text(script)
    (folder / "authorized_keys").write_text(f'command="/bin/sh {folder}/poor.sh" {public}')
    try:
        with pytest.raises(CommandFailed, match=r"nft -j list ruleset.* 127: .*not found"):
            read(hosts(tmp_path / "site", sshd.port, sshd.host_key, login_key), "nftables")
    finally:
        sshd.process.terminate()
        sshd.process.wait(10)


def test_a_device_that_hangs_up_is_told_at_once(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, login_key: Path
) -> None:
    folder = tmp_path_factory.mktemp("rude")
    sshd = serve(folder, login_key)
    public = (folder / "authorized_keys").read_text()
    (folder / "authorized_keys").write_text(f'command="/bin/false" {public}')
    began = time.monotonic()
    try:
        with pytest.raises(Unreachable, match="closed the connection"):
            read(hosts(tmp_path / "site", sshd.port, sshd.host_key, login_key), "nftables")
    finally:
        sshd.process.terminate()
        sshd.process.wait(10)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("threaded", [False, True])
def test_a_device_that_never_answers_is_given_up(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    login_key: Path,
    monkeypatch: pytest.MonkeyPatch,
    threaded: bool,
) -> None:
    monkeypatch.setattr("remote.perimeter.OPERATION_SECONDS", 1.0)
    folder = tmp_path_factory.mktemp("mute")
    sshd = serve(folder, login_key)
    public = (folder / "authorized_keys").read_text()
    (folder / "authorized_keys").write_text(f'command="sleep 60" {public}')
    errors: list[HostError] = []

    def attempt() -> None:
        try:
            read(hosts(tmp_path / "site", sshd.port, sshd.host_key, login_key), "nftables")
        except HostError as error:
            errors.append(error)

    began = time.monotonic()
    try:
        if threaded:
            thread = threading.Thread(target=attempt)
            thread.start()
            thread.join(20)
        else:
            attempt()
    finally:
        sshd.process.terminate()
        sshd.process.wait(10)
    assert [error.host for error in errors] == ["r-1"]
    assert time.monotonic() - began < 10


def test_a_platform_nobody_can_read_is_said_to_be_so(host: Host) -> None:
    with pytest.raises(HostError, match="cisco_iosxe"):
        read(host, "cisco_iosxe")
