"""Jump hosts before jump hosts: every hop of a connection presents a recorded key, or there is no connection."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from nornir.core import Nornir

from flows._fleet.failure import HostFailure
from flows._fleet.hosts import close, run_on_hosts
from flows._fleet.inventory import inventory
from model.errors import HostError, Unreachable
from remote import perimeter
from remote.shell import reconnect_proof, run, tcp_banner
from tests.remote.conftest import SshServer, keygen, serving
from tests.remote.sites import write_site
from tests.remote.test_route import route_to

LAX = " StrictHostKeyChecking accept-new\n"


@pytest.fixture
def third_sshd(tmp_path_factory: pytest.TempPathFactory, login_key: Path) -> Iterator[SshServer]:
    """The server that is behind the words of ssh_config."""
    yield from serving(tmp_path_factory.mktemp("sshd"), login_key)


class Way:
    """A target through `near`, which ssh_config reaches through `hidden`; a person's own file has its right key."""

    def __init__(self, folder: Path, target: SshServer, near: SshServer, hidden: SshServer) -> None:
        self.folder, self.target, self.near, self.hidden = folder, target, near, hidden
        self.own = folder / "own_known"
        self.own.write_text(f"[127.0.0.1]:{hidden.port} {hidden.host_key}\n[127.0.0.1]:{near.port} {near.host_key}\n")

    def fleet(self, known: dict[int, str], to_hidden: str = " ProxyJump hidden\n", of_hidden: str = LAX) -> Nornir:
        """Return the site whose known_hosts has these keys, by port."""
        keys = {self.target.port: self.target.host_key, **known}
        hosts = {"h-1": {"hostname": "target"}}
        site = write_site(self.folder / "site", hosts, keys, self.target.login_key, conn_timeout=8)
        with (site / "defaults.yaml").open("a") as file:
            file.write("data: {ssh_config: ../ssh_config}\n")
        (self.folder / "ssh_config").write_text(
            f"Host target\n HostName 127.0.0.1\n Port {self.target.port}\n ProxyJump near\n"
            f"Host near\n HostName 127.0.0.1\n Port {self.near.port}\n{to_hidden}"
            f"Host hidden\n HostName 127.0.0.1\n Port {self.hidden.port}\n{of_hidden}"
            f"Host *\n User root\n IdentityFile {self.target.login_key}\n UserKnownHostsFile {self.own}\n"
        )
        return inventory(site)

    @property
    def keys(self) -> dict[int, str]:
        """The right keys of both hops."""
        return {self.near.port: self.near.host_key, self.hidden.port: self.hidden.host_key}


@pytest.fixture
def way(tmp_path: Path, sshd: SshServer, second_sshd: SshServer, third_sshd: SshServer) -> Way:
    return Way(tmp_path, sshd, second_sshd, third_sshd)


def _refusal(nr: Nornir) -> str:
    """Return why no connection comes about: of commands, of proofs, and of scrapli alike."""
    answer = run_on_hosts(nr, lambda host: run(host, ("true",)), names=["h-1"])["h-1"]
    assert isinstance(answer, HostFailure)
    host = nr.inventory.hosts["h-1"]
    with pytest.raises(HostError, match="Host key verification failed"):
        reconnect_proof(host, 8)
    with pytest.raises(HostError, match="Host key verification failed"):
        tcp_banner(host, 8)
    with pytest.raises(HostError, match="Host key verification failed"):
        perimeter.read(host, "nftables")
    return answer.message


def test_both_hops_with_their_recorded_keys_carry_the_connection(way: Way) -> None:
    nr = way.fleet(way.keys)
    assert run_on_hosts(nr, lambda host: run(host, ("true",)).exit_code, names=["h-1"]) == {"h-1": 0}
    close(nr)


@pytest.mark.parametrize("to_hidden", [" ProxyJump hidden\n", " ProxyCommand ssh -q -W %h:%p root@hidden\n"])
def test_a_wrong_key_recorded_for_the_hidden_hop_ends_it(way: Way, to_hidden: str) -> None:
    wrong = {way.hidden.port: keygen(way.folder / "other")}
    said = _refusal(way.fleet({**way.keys, **wrong}, to_hidden))
    assert f"[127.0.0.1]:{way.hidden.port}" in said


def test_a_wrong_key_recorded_for_the_near_hop_ends_it(way: Way) -> None:
    wrong = {way.near.port: keygen(way.folder / "other")}
    assert f"[127.0.0.1]:{way.near.port}" in _refusal(way.fleet({**way.keys, **wrong}))


def test_a_key_that_nobody_was_asked_about_is_no_recorded_one(way: Way) -> None:
    known = {way.near.port: way.near.host_key}
    nr = way.fleet(known)
    said = _refusal(nr)
    assert f"key is known for [127.0.0.1]:{way.hidden.port}" in said
    answer = run_on_hosts(nr, lambda host: run(host, ("true",)), names=["h-1"])["h-1"]
    assert isinstance(answer, HostFailure)
    assert "python -m flows.trust" in answer.next
    assert way.hidden.host_key.split()[1] in way.own.read_text()


def test_a_key_that_a_person_agreed_to_is_a_recorded_one(way: Way) -> None:
    nr = way.fleet({}, of_hidden="")
    assert run_on_hosts(nr, lambda host: run(host, ("true",)).exit_code, names=["h-1"]) == {"h-1": 0}
    close(nr)


def test_a_connection_that_somebody_else_opened_is_not_used(way: Way) -> None:
    control = way.folder / "control"
    shared = f"{LAX} ControlPath {control}\n"
    wrong = {way.hidden.port: keygen(way.folder / "other")}
    nr = way.fleet({**way.keys, **wrong}, of_hidden=shared)
    argv = ("ssh", "-F", str(way.folder / "ssh_config"), "-o", "ControlMaster=yes", "-N", "hidden")
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as master:
        try:
            for _ in range(200):
                if control.exists():
                    break
                master_ended = master.poll()
                assert master_ended is None
                _pause()
            assert control.exists()
            _refusal(nr)
        finally:
            master.terminate()


def _pause() -> None:
    import threading

    threading.Event().wait(0.05)


def test_a_proxy_command_that_hides_a_host_is_refused(way: Way) -> None:
    for command in ("ssh -o StrictHostKeyChecking=no -W %h:%p hidden", "sh -c 'ssh hidden nc %h %p'"):
        nr = way.fleet(way.keys, f" ProxyCommand {command}\n")
        answer = run_on_hosts(nr, lambda host: run(host, ("true",)), names=["h-1"])["h-1"]
        assert isinstance(answer, HostFailure)
        assert "whose key would not be checked" in answer.message
        assert "ProxyJump" in answer.next


def test_jump_hosts_in_a_circle_are_named(tmp_path: Path) -> None:
    config = "Host a\n ProxyJump b\nHost b\n ProxyJump a\nHost h\n ProxyJump a\n"
    with pytest.raises(Unreachable, match="lead in a circle"):
        route_to(tmp_path, config, "h")


def test_every_hop_is_given_its_rules_and_no_other_way(tmp_path: Path) -> None:
    config = "Host h\n ProxyJump a,b\nHost a\n ProxyJump c\nHost b\n ProxyJump d\nHost c\n ProxyCommand nc -X5 %h %p\n"
    words, hops = list(route_to(tmp_path, config, "h").proxy), []
    while words:
        hops.append(words[-1])
        assert {"StrictHostKeyChecking=yes", "VerifyHostKeyDNS=no", "ControlPath=none", "BatchMode=yes"} <= set(words)
        inner = [word for word in words if word.startswith("ProxyCommand=")]
        assert len(inner) == 1
        words = shlex.split(inner[0].removeprefix("ProxyCommand=").replace("%%", "%"))
        if words[0] == "nc":
            break
    assert hops == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("command", "hop"),
    [
        ("ssh -W %h:%p bastion", ("bastion",)),
        ("exec /usr/bin/ssh -q -W [%h]:%p -l ann -p 2022 bastion", ("-l", "ann", "-p", "2022", "--", "bastion")),
        ("ssh ann@bastion -W %h:%p", ("-l", "ann", "--", "bastion")),
    ],
)
def test_a_plain_proxy_command_is_a_jump_host(tmp_path: Path, command: str, hop: tuple[str, ...]) -> None:
    proxy = route_to(tmp_path, f"Host h\n ProxyCommand {command}\n", "h").proxy
    assert proxy[-len(hop) :] == hop
    assert "StrictHostKeyChecking=yes" in proxy


@pytest.mark.parametrize(
    "command",
    [
        "ssh bastion nc %h %p",
        "ssh -i key -W %h:%p bastion",
        "ssh -F other -W %h:%p bastion",
        "ssh -W %h:%p 'bastion;id'",
        "sshpass -e ssh -W %h:%p bastion",
        "/opt/wrap/ssh -oUserKnownHostsFile=/dev/null -W %h:%p bastion",
        "ssh -W %h:%p",
    ],
)
def test_any_other_use_of_ssh_in_a_proxy_command_is_refused(tmp_path: Path, command: str) -> None:
    with pytest.raises(Unreachable, match="whose key would not be checked"):
        route_to(tmp_path, f"Host h\n ProxyCommand {command}\n", "h")
