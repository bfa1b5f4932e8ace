"""An agent that dies, lies or keeps silent is an error of its host, soon; and no agent outlives its controller."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from model.bits import from_ports
from model.errors import ProtocolError
from model.verify.probing import ProbeTarget
from remote.probe.bundle import argv, script
from remote.probe.session import SourceSession, WitnessSession
from tests.remote.probe.network import B4, KEY, Network, Process, assignment, expected, local

PORTS = from_ports([80, 443])
PLAN = assignment("A", ProbeTarget("B", B4, PORTS, PORTS))


def agent(net: Network, name: str, role: str) -> Process:
    return net.start(name, *local(argv(role)))


def impostor(text: str) -> Process:
    """A process that reads the script and then says `text`."""
    program = (
        "import sys; sys.stdin.buffer.read(int(sys.stdin.buffer.readline())); print(sys.argv[1], flush=True); "
        "sys.stdin.read()"
    )
    return Process((sys.executable, "-c", program, text))


def test_the_marker_stands_in_the_command_line_and_no_secret_does(net: Network) -> None:
    process = agent(net, "B", "witness")
    witness = WitnessSession.open("B", process)
    witness.arm(KEY, expected("B", PLAN))
    words = Path(f"/proc/{witness.ready.pid}/cmdline").read_bytes().split(b"\0")
    assert words[-2] == b"matrix-fleet-witness"
    assert KEY.hex().encode() not in b"".join(words)


def test_a_killed_witness_is_noticed_at_once_and_its_source_goes_on(net: Network) -> None:
    witness, source = net.witness("A"), net.source("A")
    witness.arm(KEY, ())
    source.arm(KEY, PLAN)
    os.kill(witness.ready.pid, signal.SIGKILL)
    start = time.monotonic()
    with pytest.raises(ProtocolError, match=r"^A: the witness agent was killed by a signal \(exit code -9\)"):
        witness.collect()
    assert time.monotonic() - start < 2
    assert source.fire().sent == 4


def test_a_frozen_witness_is_an_error_after_the_time_limit(net: Network) -> None:
    witness = net.witness("B")
    os.kill(witness.ready.pid, signal.SIGSTOP)
    start = time.monotonic()
    try:
        with pytest.raises(ProtocolError, match=r"gave no answer within 0\.3 s"):
            witness.arm(KEY, (), timeout=0.3)
    finally:
        os.kill(witness.ready.pid, signal.SIGCONT)
    assert time.monotonic() - start < 2
    with pytest.raises(ProtocolError, match=r"gave no answer within 0\.3 s"):
        witness.collect()


@pytest.mark.parametrize("role", ["witness", "source"])
def test_the_end_of_input_ends_an_agent(net: Network, role: str) -> None:
    process = agent(net, "B", role)
    session = (WitnessSession if role == "witness" else SourceSession).open("B", process)
    session.close()
    assert process.exit_code(3) == 0


def test_the_end_of_input_ends_a_source_that_is_firing(net: Network) -> None:
    process = agent(net, "A", "source")
    source = SourceSession.open("A", process)
    source.arm(KEY, PLAN)
    source.conversation.tell({"do": "fire", "which": None, "rate": 1, "bits": []})
    process.close()
    assert process.exit_code(3) == 0


def test_an_agent_ends_with_its_life(net: Network) -> None:
    process = agent(net, "B", "witness")
    WitnessSession.open("B", process, life=1)
    assert process.exit_code(4) == -signal.SIGALRM


@pytest.mark.parametrize("role", ["witness", "source"])
@pytest.mark.parametrize(
    "message",
    [
        b"not json",
        b"[1]",
        b"{}",
        b'{"do":"dance"}',
        b'{"do":"arm"}',
        b'{"do":"arm","key":"xyz","bits":[],"expected":[],"connects":[],"source":"A","addresses":[],"targets":[]}',
        b'{"do":"arm","key":"00","bits":["?"],"expected":[],"connects":[],"source":"A","addresses":[],"targets":[]}',
        b'{"do":"arm","key":"00","bits":[],"expected":[[1]],"connects":[],"source":"A","addresses":[],"targets":[[1]]}',
        b'{"do":"collect","quiet_ms":"long","limit_ms":1}',
        b'{"do":"fire","which":null,"rate":1,"bits":[]}',
    ],
)
def test_a_bad_message_is_answered_with_an_error_and_exit_code_1(net: Network, role: str, message: bytes) -> None:
    process = agent(net, "B", role)
    session = (WitnessSession if role == "witness" else SourceSession).open("B", process)
    process.write(message + b"\n")
    with pytest.raises(ProtocolError, match=f"^B: the {role} agent stopped: "):
        session.conversation.hear(5, "armed")
    assert process.exit_code(3) == 1


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "[]",
        "{}",
        '{"ready": 5}',
        '{"ready": {}}',
        '{"ready": {"python": 3, "pid": 1, "addresses": [], "conntrack": null}}',
        '{"ready": {"python": "3", "pid": "x", "addresses": [], "conntrack": null}}',
    ],
)
def test_an_agent_that_talks_nonsense_is_an_error_of_its_host(text: str) -> None:
    process = impostor(text)
    try:
        with pytest.raises(ProtocolError, match=r"^B: the witness agent answered"):
            WitnessSession.open("B", process, timeout=5)
    finally:
        process.end()


@pytest.mark.parametrize(
    ("code", "complaint", "message"),
    [
        (127, "", "python3 missing"),
        (1, "sudo: python3: command not found", "python3 missing"),
        (1, "no memory", r"ended too early \(exit code 1\): no memory"),
    ],
)
def test_an_agent_that_never_starts_is_an_error_that_says_why(code: int, complaint: str, message: str) -> None:
    process = Process((sys.executable, "-c", f"import sys; sys.stderr.write({complaint!r}); sys.exit({code})"))
    try:
        with pytest.raises(ProtocolError, match=message):
            WitnessSession.open("B", process, timeout=5)
    finally:
        process.end()


def test_a_script_that_is_cut_off_never_runs(net: Network) -> None:
    process = agent(net, "B", "witness")
    process.write(script("witness")[:-100])
    process.close()
    assert process.exit_code(5) == 1


def test_an_agent_without_root_says_so(net: Network) -> None:
    user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all")
    witness = WitnessSession.open("B", net.start("B", *user, *local(argv("witness"))))
    with pytest.raises(ProtocolError, match="needs root"):
        witness.arm(KEY, expected("B", PLAN))
