"""An agent moves into a container's network before it opens a socket, and into nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from remote.probe.agent.channel import BadMessage
from remote.probe.agent.container import RUNTIME, enter
from remote.probe.bundle import program

NAME = "0123456789abcdef"


@pytest.mark.parametrize("name", ["", "../../../proc/1", "0123456789ABCDEF", "x" * 16, "0" * 65, NAME + "\n", 7, None])
def test_only_a_containers_name_is_one(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadMessage, match="no container's name"):
        enter(name, str(tmp_path))


@pytest.mark.parametrize("pid", [None, "", "nobody", "0"])
def test_a_container_that_does_not_run_is_told(pid: str | None, tmp_path: Path) -> None:
    if pid is not None:
        (tmp_path / NAME).mkdir()
        (tmp_path / NAME / "init.pid").write_text(pid, "ascii")
    with pytest.raises(BadMessage, match="does not run here"):
        enter(NAME, str(tmp_path))


@pytest.mark.machine
def test_an_agent_speaks_from_where_it_was_sent(tmp_path: Path) -> None:
    waiting = ("unshare", "--net", "sh", "-c", "echo there; exec cat")
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"there\n"
        (tmp_path / NAME).mkdir()
        (tmp_path / NAME / "init.pid").write_text(str(other.pid), "ascii")
        agent = tmp_path / "source"
        agent.write_text(program("source").replace(RUNTIME, str(tmp_path)), "utf-8")
        here, there = (_addresses(agent, container) for container in ("", NAME))
        assert other.stdin is not None
        other.stdin.close()
    assert "127.0.0.1" in here
    # Loopback of a new network is down: it has no address at all.
    assert there == []


def _addresses(agent: Path, container: str) -> list[str]:
    asked = json.dumps({"container": container}) + "\n"
    done = subprocess.run(
        (sys.executable, "-I", "-S", str(agent)), input=asked, capture_output=True, text=True, timeout=30, check=True
    )
    addresses: list[str] = json.loads(done.stdout)["ready"]["addresses"]
    return addresses
