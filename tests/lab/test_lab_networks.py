"""Who reaches whom in a running lab, before any host has a firewall."""

from __future__ import annotations

import pytest

from tests.lab.driver import Lab

_OPEN_OR_REFUSED = {"open", "refused"}


@pytest.mark.parametrize("address", ["10.20.1.11", "fd20:1::11", "10.20.1.31", "10.20.0.31", "fd20::31", "10.20.2.11"])
def test_the_controller_reaches_ssh_everywhere(lab: Lab, address: str) -> None:
    assert lab.tcp("", address, 22) == "open"


@pytest.mark.parametrize(
    ("source", "address", "port"),
    [
        ("li-1", "10.20.1.11", 6443),
        ("li-1", "fd20:1::12", 8443),
        ("cp-1", "10.20.2.11", 10250),
        ("li-1", "10.20.1.31", 5432),
        ("w-1", "fd20:2::11", 8000),
        ("vantage-1", "198.51.100.101", 443),
        ("vantage-1", "2001:db8:100::101", 80),
    ],
)
def test_named_flows_cross_the_borders(lab: Lab, source: str, address: str, port: int) -> None:
    assert lab.tcp(source, address, port) in _OPEN_OR_REFUSED


@pytest.mark.parametrize(
    ("source", "address", "port"),
    [
        ("li-1", "10.20.1.11", 22),
        ("li-1", "10.20.1.21", 6443),
        ("w-1", "10.20.2.11", 10250),
        ("cp-1", "fd20:2::11", 22),
        ("cp-1", "10.20.0.31", 22),
        ("cp-1", "10.20.0.10", 22),
        ("w-1", "198.51.100.200", 22),
        ("li-1", "2001:db8:100::200", 22),
        ("vantage-1", "10.20.1.21", 22),
        ("vantage-1", "198.51.100.101", 22),
        ("vantage-1", "198.51.100.1", 22),
    ],
)
def test_everything_else_is_dropped_at_the_router(lab: Lab, source: str, address: str, port: int) -> None:
    assert lab.tcp(source, address, port) == "silent"


def test_the_lab_has_no_way_out(lab: Lab) -> None:
    assert "Network is unreachable" in lab.run(("python3", "-c", _OUTSIDE)).stderr
    devices = lab.run(("ip", "-oneline", "link", "show", "type", "veth")).stdout.splitlines()
    namespaces = {host["namespace"] for host in lab.status["hosts"]}
    assert devices
    assert {line.rpartition("link-netns ")[2].split()[0].rstrip("\\") for line in devices} <= namespaces


_OUTSIDE = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))"
_RESOLVE = "import socket, sys; print(sorted({entry[4][0] for entry in socket.getaddrinfo(sys.argv[1], 1)}))"


@pytest.mark.parametrize(
    ("host", "addresses"),
    [("cp-1", "['198.51.100.101', '2001:db8:100::101']"), ("li-1", "['10.20.2.11', 'fd20:2::11']")],
)
def test_one_name_has_another_address_in_the_li_view(lab: Lab, host: str, addresses: str) -> None:
    assert lab.shell(host, ("python3", "-c", _RESOLVE, "matrix.example.test")).stdout.strip() == addresses


@pytest.mark.parametrize("name", ["example.test", "matrix.example.test", "chat.example.test"])
def test_public_names_lead_everybody_to_the_external_address(lab: Lab, name: str) -> None:
    answers = [lab.run(("python3", "-c", _RESOLVE, name)).stdout.strip()]
    answers += [lab.shell(host, ("python3", "-c", _RESOLVE, name)).stdout.strip() for host in ("w-1", "vantage-1")]
    assert answers == ["['198.51.100.101', '2001:db8:100::101']"] * 3


_ASK = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
question = b"\\0\\7\\1\\0\\0\\1" + bytes(6) + b"\\6matrix\\7example\\4test\\0\\0\\1\\0\\1"
s.sendto(question, (sys.argv[1], 53))
print(socket.inet_ntoa(s.recv(512)[-4:]))
"""


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ("192.0.2.53", "198.51.100.101"),
        ("2001:db8:ffff::53", "198.51.100.101"),
        ("127.0.0.53", "198.51.100.101"),
        ("10.20.2.1", "10.20.2.11"),
    ],
)
def test_the_controllers_questions_reach_the_router_or_the_server_of_the_lab_that_is_asked(
    lab: Lab, server: str, address: str
) -> None:
    assert lab.run(("python3", "-c", _ASK, server)).stdout.strip() == address


@pytest.mark.parametrize("address", ["198.51.100.101", "2001:db8:100::101"])
def test_a_deployer_is_led_to_the_ingress_by_its_external_address_and_a_server_is_not(lab: Lab, address: str) -> None:
    assert lab.tcp("", address, 443) in _OPEN_OR_REFUSED
    assert lab.tcp("", address, 8443) == "silent"
    assert lab.tcp("w-1", address, 443) == "silent"


_TIME = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3)
s.sendto(b"\\x23" + bytes(47), ("10.20.1.1", 123)); print(s.recv(48)[1])
"""


def test_the_router_serves_time(lab: Lab) -> None:
    assert lab.shell("cp-1", ("python3", "-c", _TIME)).stdout.strip() == "3", "the stratum of an undisciplined clock"
