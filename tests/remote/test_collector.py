"""The collector is one program that knows no module of ours, takes a closed set of wishes, and never answers half."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model.errors import ProtocolError
from model.host_facts import HostFacts, Kernel, Release, Unseen
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
    assert read("here", done.stdout).of(Release).words["ID"]
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
