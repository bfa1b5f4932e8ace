"""A test that forgets its mark is told so on every machine, also where root could do what it does."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests.conftest import OF_A_MACHINE
from tests.hermetic import NotHermeticError


@pytest.mark.parametrize(
    "argv",
    [("ip", "netns", "add", "x"), ("/usr/sbin/sshd", "-D"), (sys.executable, "-m", "lab", "up")],
    ids=lambda argv: argv[0],
)
def test_a_program_of_the_machine_is_refused(argv: tuple[str, ...]) -> None:
    with pytest.raises(NotHermeticError, match="mark the test `machine`"):
        subprocess.run(argv, check=True)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_no_test_goes_further_than_loopback(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as connection, pytest.raises(NotHermeticError, match="loopback"):
        connection.connect((address, 80))


def test_loopback_and_plain_programs_stay_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        socket.create_connection(listener.getsockname()).close()
    assert subprocess.run(("true",), check=False).returncode == 0


def test_whoever_asks_for_a_machine_is_marked(request: pytest.FixtureRequest) -> None:
    items = [item for item in request.session.items if OF_A_MACHINE.intersection(getattr(item, "fixturenames", ()))]
    assert all(item.get_closest_marker("machine") for item in items)
