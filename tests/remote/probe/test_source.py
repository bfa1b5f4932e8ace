"""A source tells what left it, what was refused, and what came back."""

from __future__ import annotations

import errno

import pytest

from model.bits import from_intervals, from_ports
from model.errors import ProtocolError
from model.verify.probing import Assignment, ProbeTarget, SentStream
from remote.probe.session import SourceSession
from tests.remote.probe.network import A4, A6, B4, B6, C4, KEY, Network, assignment, expected
from tests.remote.probe.servers import listener

PORTS = from_intervals([(5000, 5040)])
BOTH = (ProbeTarget("B", B4, PORTS, PORTS), ProbeTarget("B", B6, PORTS, PORTS))
NTP_OF_RFC_5905 = 0x23


def sent_streams(source: SourceSession) -> dict[tuple[str, str], SentStream]:
    return {(sent.address, sent.protocol): sent for sent in source.collect(quiet_ms=80)}


@pytest.mark.parametrize("target", ["DROP", "REJECT"])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_what_output_stops_is_refused_and_never_sent(net: Network, protocol: str, target: str) -> None:
    net.rules("A", f"-A OUTPUT -p {protocol} --dport 5005:5006 -j {target}")
    source = net.source("A")
    source.arm(KEY, assignment("A", *BOTH))
    fired = source.fire()
    stopped = from_ports([5005, 5006])
    assert (fired.sent, fired.refused, fired.unroutable) == (41 * 4 - 4, 4, 0)
    for (_, own), sent in sent_streams(source).items():
        assert sent.refused == (stopped if own == protocol else 0)
        assert sent.sent == PORTS & ~sent.refused


def test_a_port_refused_once_and_sent_later_is_in_both(net: Network) -> None:
    net.rules("A", "-A OUTPUT -p tcp --dport 5005 -j DROP", families=(4,))
    source = net.source("A")
    source.arm(KEY, assignment("A", *BOTH))
    source.fire()
    net.rules("A", "-D OUTPUT -p tcp --dport 5005 -j DROP", families=(4,))
    fired = source.fire({(B4, "tcp"): from_ports([5005])})
    assert (fired.sent, fired.refused) == (1, 0)
    sent = sent_streams(source)[B4, "tcp"]
    assert (sent.sent, sent.refused) == (PORTS, from_ports([5005]))


def test_an_address_without_a_route_is_unroutable_and_hides_no_other(net: Network) -> None:
    net.run_ip("A", "route", "add", "unreachable", "10.77.5.0/24")
    net.run_ip("A", "-6", "route", "add", "unreachable", "fd77:5::/64")
    nowhere = (ProbeTarget("x", "10.77.5.5", PORTS, PORTS), ProbeTarget("x", "fd77:5::5", PORTS, PORTS))
    source = net.source("A")
    source.arm(KEY, assignment("A", *nowhere, *BOTH))
    fired = source.fire()
    net.run_ip("A", "route", "del", "unreachable", "10.77.5.0/24")
    net.run_ip("A", "-6", "route", "del", "unreachable", "fd77:5::/64")
    assert (fired.sent, fired.refused, fired.unroutable) == (41 * 4, 0, 41 * 4)
    for (address, _), sent in sent_streams(source).items():
        lost = address in {"10.77.5.5", "fd77:5::5"}
        assert sent.sent == (0 if lost else PORTS)
        assert sent.unroutable == ({errno.EHOSTUNREACH: PORTS} if lost else {})


def test_dead_neighbours_hold_up_nobody(net: Network) -> None:
    many = from_intervals([(1, 3000)])
    dead = [ProbeTarget(f"dead {number}", f"10.77.1.{number}", many, many) for number in range(50, 54)]
    plan = assignment("A", *dead, ProbeTarget("B", B4, many, many))
    witness, source = net.witness("B"), net.source("A")
    witness.arm(KEY, expected("B", plan))
    source.arm(KEY, plan)
    fired = source.fire(rate=60_000)
    assert fired.sent == 5 * 6000
    assert fired.seconds < 2.5
    assert [seen.arrived for seen in witness.collect(quiet_ms=80).seen] == [many, many]


def test_a_listener_answers_syn_ack_and_no_connection_ever_completes(net: Network) -> None:
    server = listener(net, "B", 5010)
    source = net.source("A")
    source.arm(KEY, assignment("A", *BOTH))
    for _ in range(3):
        source.fire()
        answers = sent_streams(source)
    for address in (B4, B6):
        assert answers[address, "tcp"].synack == from_ports([5010])
        assert answers[address, "tcp"].rst == PORTS & ~from_ports([5010])
        assert answers[address, "udp"].data == from_ports([5010])
    greetings = {server.read_line(5) for _ in range(6)}
    assert b"accepted" not in greetings
    with pytest.raises(TimeoutError):
        server.read_line(0.1)


@pytest.mark.parametrize(
    ("kind", "start", "size"),
    [("stun", "000100002112a442", 20), ("ntp", f"{NTP_OF_RFC_5905:02x}" + "00" * 11, 48), ("dns", "", 50)],
)
def test_a_listener_gets_its_harmless_request_and_the_witness_knows_it(
    net: Network, kind: str, start: str, size: int
) -> None:
    server = listener(net, "B", 5010)
    targets = [ProbeTarget("B", address, PORTS, PORTS, {5010: kind}) for address in (B4, B6)]
    plan = assignment("A", *targets)
    witness, source = net.witness("B"), net.source("A")
    witness.arm(KEY, expected("B", plan))
    source.arm(KEY, plan)
    source.fire()
    for _ in targets:
        payload = server.read_line(5).decode()
        assert payload.startswith(start)
        assert len(payload) == 2 * size
    assert all(sent_streams(source)[address, "udp"].data == from_ports([5010]) for address in (B4, B6))
    assert all((seen.arrived, seen.passed) == (PORTS, PORTS) for seen in witness.collect(quiet_ms=80).seen)


def test_the_rate_is_kept_and_progress_told(net: Network) -> None:
    many = from_intervals([(1, 2000)])
    source = net.source("A")
    assert source.arm(KEY, assignment("A", ProbeTarget("B", B4, many, many), ProbeTarget("C", C4, many, 0))) == 6000
    steps: list[tuple[int, int]] = []
    fired = source.fire(rate=6000, on_progress=lambda done, of: steps.append((done, of)))
    assert 0.95 < fired.seconds < 1.6
    assert 3 <= len(steps) <= 6
    assert steps == sorted(steps)
    assert all(0 < done < of == 6000 for done, of in steps)


@pytest.mark.parametrize(
    ("plan", "complaint"),
    [
        (Assignment("A", (A4,), BOTH), "no source address for IPv6"),
        (Assignment("A", ("10.77.1.77", A6), BOTH), "does not have the address 10.77.1.77"),
        (Assignment("A", (A4, A6), (*BOTH, BOTH[0])), "twice"),
        (Assignment("A", (A4, A6), (ProbeTarget("B", "B", PORTS),)), "OSError"),
        (Assignment("A", (A4, A6), (ProbeTarget("B", B4, 0, PORTS, {5010: "telnet"}),)), "telnet"),
    ],
)
def test_a_plan_that_cannot_be_fired_is_an_error_that_names_the_host(
    net: Network, plan: Assignment, complaint: str
) -> None:
    source = net.source("A")
    with pytest.raises(ProtocolError, match=f"^A: the source agent stopped: .*{complaint}"):
        source.arm(KEY, plan)


def test_ports_outside_the_plan_are_not_fired(net: Network) -> None:
    source = net.source("A")
    source.arm(KEY, assignment("A", *BOTH))
    with pytest.raises(ProtocolError, match="outside the plan"):
        source.fire({(B4, "tcp"): from_ports([1])})
