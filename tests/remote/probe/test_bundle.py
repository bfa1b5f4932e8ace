"""What is sent to hosts is whole, and needs nothing there but Python."""

from __future__ import annotations

import ast
import socket
import sys
import zlib
from pathlib import Path

import pytest

from model.checkout import ROOT
from remote.probe.agent.sockets import overrun
from remote.probe.bundle import MODULES, argv, script


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = node.module == "remote.probe.agent"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} if package else {str(node.module)}
    return names


@pytest.mark.parametrize("role", MODULES)
def test_an_agents_modules_import_the_standard_library_and_earlier_modules_alone(role: str) -> None:
    known = {"model.bits"}
    for name in MODULES[role]:
        foreign = {
            imported for imported in imports(ROOT / "remote/probe/agent" / f"{name}.py") if imported not in known
        }
        assert all(imported.split(".")[0] in sys.stdlib_module_names for imported in foreign), (name, foreign)
        known.add(f"remote.probe.agent.{name}")
    assert all(imported.split(".")[0] in sys.stdlib_module_names for imported in imports(ROOT / "model/bits.py"))


def test_every_module_of_the_agent_is_sent_to_somebody() -> None:
    names = {path.stem for path in (ROOT / "remote/probe/agent").glob("*.py")} - {"__init__"}
    assert names == {name for modules in MODULES.values() for name in modules}


@pytest.mark.parametrize("role", MODULES)
def test_a_script_is_its_length_and_that_many_bytes(role: str) -> None:
    length, packed = script(role).split(b"\n", 1)
    assert int(length) == len(packed)
    assert f".{role}'].serve, 77)" in zlib.decompress(script(role, 77).split(b"\n", 1)[1]).decode()
    assert argv(role)[-1] == f"matrix-fleet-{role}"


def test_nobody_else_has_a_script() -> None:
    with pytest.raises(ValueError, match="oracle"):
        script("oracle")


def test_packets_that_find_no_room_are_counted() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ears,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth,
    ):
        ears.bind(("127.0.0.1", 0))
        ears.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        assert overrun(ears) == 0
        for _ in range(100):
            mouth.sendto(bytes(500), ears.getsockname())
        assert overrun(ears) > 50
