"""Claims about the gate of names, with answers of name servers as packets."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

import pytest

from model.errors import Unreachable
from model.host.dns_wire import TYPES, question
from model.report.outcome import Status
from model.site.names import records
from remote.collector.program.wishes import checked
from remote.collector.reading import SCHEMA
from remote.collector.session import ask_names
from remote.gates import dns
from tests.remote.gates.world import World

Change = Callable[[str, str], tuple[str, ...]]


class NameServers:
    """Answers as the site declares, by view, unless a test says otherwise; one that is silent answers nothing."""

    def __init__(self, world: World) -> None:
        self.site = world.site
        self.silent: set[str] = set()
        self.refusing: set[str] = set()
        self.unread = False
        self.change: Callable[[str, str, tuple[str, ...]], tuple[str, ...]] = lambda _view, _name, usual: usual
        world.ran = self.ran
        world.pod("haproxy-a", "matrix", {"matrix-fleet.io/pod": "haproxy"}, "10.0.0.1")

    def ran(self, argv: Sequence[str], stdin: bytes) -> str:
        if "tasks" in argv:
            return "TASK PID STATUS\nhaproxy-a 42 RUNNING\n"
        size, _, rest = stdin.partition(b"\n")
        wishes = checked(json.loads(rest[int(size) :]), ("names",))
        found: dict[str, list[str]] = {}
        for asked in wishes["dns"]:
            server = asked["server"] or "198.51.100.1"
            found[server] = [] if server in self.silent else self._all(self._view(server), asked["names"])
        heard = {"answers": found, "why": dict.fromkeys(self.refusing & set(found), "refused")}
        sections = {} if self.unread else {"names": heard}
        errors = {"names": "no socket"} if self.unread else {}
        return json.dumps({"schema": SCHEMA, "begins": 0, "ends": 1, "sections": sections, "errors": errors})

    def _view(self, server: str) -> str:
        address = ip_address(server)
        if address in self.site.settings.dns.li:
            return "li"
        return "cluster" if address == self.site.settings.kubernetes.dns_address else "main"

    def _all(self, view: str, names: Sequence[str]) -> list[str]:
        return [self._answer(view, question(1, name, version)).hex() for name in names for version in TYPES]

    def _answer(self, view: str, packet: bytes) -> bytes:
        place, labels = 12, []
        while size := packet[place]:
            labels.append(packet[place + 1 : place + 1 + size].decode())
            place += 1 + size
        name, kind = ".".join(labels), int.from_bytes(packet[place + 1 : place + 3], "big")
        if view == "cluster":
            usual: tuple[str, ...] = ("10.96.0.7",)
        else:
            usual = tuple(str(a) for r in records(self.site) if (r.name, r.view) == (name, view) for a in r.addresses)
        given = [ip_address(text) for text in self.change(view, name, usual)]
        chosen = [address.packed for address in given if TYPES[address.version] == kind]
        head = packet[:2] + b"\x81\x80" + b"\0\1" + len(chosen).to_bytes(2, "big") + b"\0\0\0\0"
        rest = b"".join(
            b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1\0\0\0\x3c" + len(part).to_bytes(2, "big") + part
            for part in chosen
        )
        return head + packet[12 : place + 5] + rest


@pytest.fixture
def servers(world: World) -> NameServers:
    """Every name leads where it should."""
    return NameServers(world)


def findings(world: World) -> str:
    """Run the gate, which must find something."""
    result = dns.run(world.context())
    assert result.status == Status.DRIFT
    return "\n".join(result.findings)


def test_names_that_lead_where_they_must_are_good(world: World, servers: NameServers) -> None:
    result = dns.run(world.context())
    assert (result.status, result.findings) == (Status.OK, ())
    assert "main by cp-1, li by li-1, public by vantage-1, and inside the cluster" in result.why


@pytest.mark.parametrize(
    ("view", "name", "given", "says"),
    [
        ("main", "matrix.example.test", ("192.0.2.9",), "cp-1: matrix.example.test (Synapse) leads to 192.0.2.9"),
        ("main", "chat.example.test", (), "cp-1: chat.example.test (Element Web) leads nowhere"),
        ("li", "matrix.example.test", ("198.51.100.101",), "li-1: matrix.example.test"),
        ("main", "admin-li.example.test", ("10.20.2.11",), "admin-li.example.test can be resolved outside LI"),
        ("cluster", "haproxy.matrix.svc.cluster.local", (), "leads nowhere inside the cluster"),
    ],
)
def test_each_fault_is_found(
    world: World, servers: NameServers, view: str, name: str, given: tuple[str, ...], says: str
) -> None:
    servers.change = lambda where, what, usual: given if (where, what) == (view, name) else usual
    assert says in findings(world)


def test_a_server_that_does_not_answer_is_found(world: World, servers: NameServers) -> None:
    servers.silent = {"10.20.1.1"}
    assert "cp-1: the name server 10.20.1.1 does not answer this host" in findings(world)


def test_why_a_server_does_not_answer_is_told(world: World, servers: NameServers) -> None:
    servers.silent = servers.refusing = {"10.20.1.1"}
    assert "cp-1: the name server 10.20.1.1 does not answer this host: refused" in findings(world)


def test_what_is_no_answer_is_none(world: World, servers: NameServers) -> None:
    world.ran = lambda _argv, _stdin: "no json"
    result = dns.run(world.context())
    assert (result.status, "cannot be understood" in result.why) == (Status.UNPROVEN, True)


def test_a_host_that_could_not_ask_has_seen_nothing(world: World, servers: NameServers) -> None:
    servers.unread = True
    result = dns.run(world.context())
    assert (result.status, "cannot be read: no socket" in result.why) == (Status.UNPROVEN, True)


def test_a_host_that_is_away_hides_no_fault_that_another_saw_and_is_never_good(
    world: World, servers: NameServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask_names

    def away(host: Any, *more: Any, **words: Any) -> Any:
        if host.name == "cp-1":
            raise Unreachable("cp-1", "no answer in 5 s", "is it on?")
        return asked(host, *more, **words)

    monkeypatch.setattr("remote.gates.dns.ask_names", away)
    result = dns.run(world.context())
    assert (result.status, result.findings) == (Status.UNPROVEN, ())
    assert "li by li-1, public by vantage-1; nobody asked cp-1: no answer in 5 s" in result.why
    servers.change = lambda where, _name, usual: () if where == "li" else usual
    assert "li-1: matrix.example.test" in findings(world)
