"""The collector is one program that knows no module of ours, takes a closed set of wishes, and never answers half."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model.errors import ProtocolError
from model.host.host_facts import HostFacts, Kernel, Release, Unseen
from remote.collector import ports
from remote.collector.bundle import argv, program, script, sha256
from remote.collector.program.wishes import BadWish, checked
from remote.collector.reading import read


def _run(wishes: object, *command: str) -> subprocess.CompletedProcess[bytes]:
    text = json.dumps(wishes).encode()
    return subprocess.run(command, input=text, capture_output=True, timeout=60, check=False)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    path = tmp_path / "collector"
    path.write_text(program())
    return path


def test_as_a_file_it_needs_nothing_but_python(installed: Path) -> None:
    done = _run({"sysctl": ["net.ipv4.ip_forward"]}, sys.executable, "-I", "-S", str(installed))
    assert done.returncode == 0, done.stderr
    facts = read("here", done.stdout)
    assert facts.of(Kernel).values["net.ipv4.ip_forward"] in ("0", "1")
    assert facts.of(Release).kernel


def test_over_standard_input_it_is_the_same_program() -> None:
    name, *rest = argv()
    done = subprocess.run((sys.executable, *rest), input=script() + b"{}", capture_output=True, timeout=60, check=False)
    assert name == "python3"
    assert done.returncode == 0, done.stderr
    assert read("here", done.stdout).of(Release).os.words["ID"]
    assert len(sha256()) == 64


@pytest.mark.parametrize(
    "wishes",
    [
        [],
        {"files": ["/etc/shadow"]},
        {"sysctl": ["kernel/../../../etc/shadow"]},
        {"sysctl": ["../../etc.shadow"]},
        {"sysctl": ["/etc/shadow"]},
        {"sysctl": "kernel.panic"},
        {"modules": ["../x"]},
        {"units": ["--help"]},
        {"units": ["x.service; reboot"]},
        {"dns": [{"server": "10.0.0.1; ls", "names": []}]},
        {"dns": [{"server": None, "names": ["-x y"]}]},
        {"dns": [{"server": None}]},
        {"tls": [{"port": 0, "names": []}]},
        {"tls": [{"port": True, "names": []}]},
        {"tls": [{"port": 443, "names": [], "address": "10.0.0.1"}]},
        {"modules": ["a"] * 201},
        {"sections": ["shadow"]},
        {"sections": "rules"},
    ],
)
def test_wishes_outside_the_closed_set_are_refused(wishes: Any, installed: Path) -> None:
    with pytest.raises(BadWish):
        checked(wishes)
    done = _run(wishes, sys.executable, "-I", "-S", str(installed))
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"collector: ")


@pytest.mark.parametrize(
    "answer", [b"", b"{", b"[]", b'{"schema": "other"}', b'{"schema": "matrix-fleet/facts/1", "sections": {}}']
)
def test_an_answer_that_is_no_document_is_the_hosts_failure(answer: bytes) -> None:
    with pytest.raises(ProtocolError):
        read("w-1", answer)


def test_a_part_that_could_not_be_read_says_why_and_hides_no_other() -> None:
    document = {"schema": "matrix-fleet/facts/1", "begins": 1.0, "ends": 2.0, "errors": {"release": "no way"}}
    document["sections"] = {"boot": {"running": 1}, "sysctl": {"a.b": "1 \t2"}, "modules": []}
    facts: HostFacts = read("w-1", json.dumps(document).encode())
    assert facts.of(Kernel).values == {"a.b": "1 2"}
    with pytest.raises(Unseen, match="no way"):
        facts.of(Release)


def test_sections_are_had_alone_and_those_of_ports_on_request(installed: Path) -> None:
    done = _run({"sections": ["conntrack", "hardware", "services"]}, sys.executable, "-I", "-S", str(installed))
    document = json.loads(done.stdout)
    assert set(document["sections"]) == {"conntrack", "hardware", "services"}
    assert document["sections"]["services"] is None
    assert not {"conntrack", "services"} & set(json.loads(_run({}, sys.executable, str(installed)).stdout)["sections"])


def test_the_clusters_name_server_is_asked_by_nodes_alone(installed: Path) -> None:
    servers = [{"server": "127.0.0.1", "names": ["kubernetes.default"]}]
    wishes = {"sections": ["names", "cluster_names"], "dns": servers, "cluster_dns": servers}
    sections = json.loads(_run(wishes, sys.executable, "-I", "-S", str(installed)).stdout)["sections"]
    assert sections["names"]["answers"] == {"127.0.0.1": []}
    assert sections["cluster_names"] == {"answers": {}, "why": {}}


def _timer(active: str) -> str:
    return f"Id=x\nLoadState=loaded\nActiveState={active}\nSubState=waiting\nUnitFileState=\n"


def _ports(**sections: Any) -> bytes:
    rules = "*filter\n:INPUT DROP [0:0]\nCOMMIT\n"
    address = {"ifname": "eth0", "addr_info": [{"local": "10.20.1.21"}]}
    sections = {
        "rules": {"saved": {"4": rules, "6": ""}, "legacy": {"4": "", "6": ""}, "nft": '{"nftables": []}'},
        "listeners": 'tcp LISTEN 0 128 0.0.0.0:2222 0.0.0.0:* users:(("sshd",pid=7,fd=3))\n',
        "hardware": {"addresses": json.dumps([address])},
        "conntrack": [262144, 12],
        "services": None,
        "units": {"asked": ["matrix-fleet-rollback.timer"], "known": _timer("inactive"), "failed": []},
    } | sections
    errors = {name: "no way" for name, value in sections.items() if value is ...}
    return json.dumps({"sections": {k: v for k, v in sections.items() if v is not ...}, "errors": errors}).encode()


def test_what_ports_depend_on_is_read_into_a_view() -> None:
    account = ports.read("w-1", _ports(), 22)
    assert account.view.interfaces == {"10.20.1.21": "eth0"}
    assert (account.view.sshd_port, account.view.conntrack, account.view.open_ports("tcp")) == (
        2222,
        (262144, 12),
        1 << 2222,
    )
    assert set(account.view.chains) == {4, 6}
    assert (account.cluster, account.why) == (None, "")


def test_a_control_plane_tells_of_services_or_why_not() -> None:
    service = {
        "metadata": {"name": "echo", "namespace": "default"},
        "spec": {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]},
    }
    services = {"services": [service], "slices": [], "pods": [], "nodes": ["w-1"]}
    account = ports.read("cp-1", _ports(services=services), 22)
    assert account.cluster is not None
    assert [port.port for port in account.cluster.exposed] == [30080]
    assert ports.read("cp-1", _ports(services=...), 22).why == "no way"


@pytest.mark.parametrize("section", ["rules", "listeners", "hardware", "conntrack", "units"])
def test_a_host_that_does_not_tell_everything_of_its_ports_is_a_failure(section: str) -> None:
    with pytest.raises(ProtocolError, match=f"{section}: no way"):
        ports.read("w-1", _ports(**{section: ...}), 22)


@pytest.mark.parametrize(("active", "waits"), [("active", True), ("inactive", False), ("failed", False)])
def test_a_rollback_whose_timer_runs_is_told_on_schedule_too(active: str, waits: bool) -> None:
    units = {"asked": ["matrix-fleet-rollback.timer"], "known": _timer(active), "failed": []}
    found = ports.read("w-1", _ports(units=units), 22).unconfirmed
    assert (found is not None) == waits
    assert found is None or "within 20 s" in found.message


def test_an_answer_about_ports_that_is_none_is_a_failure() -> None:
    for answer in (b"", b"[]", _ports(listeners="nonsense"), _ports(conntrack=[])):
        with pytest.raises(ProtocolError):
            ports.read("w-1", answer, 22)
