"""A witness tells what arrived from what passed, and under which addresses."""

from __future__ import annotations

import pytest

from model.bits import from_intervals, from_ports
from model.verify.assignments import expected_at
from model.verify.probing import ProbeTarget, SeenStream, SentStream, WitnessRecord
from remote.probe.session import SourceSession, WitnessSession
from tests.remote.probe.network import (
    A4,
    A6,
    B4,
    B6,
    C4,
    EXTERNAL4,
    EXTERNAL6,
    KEY,
    ROUTER4,
    Network,
    assignment,
    expected,
)
from tests.remote.probe.servers import connect, listener

PORTS = from_ports([22, 80, 443, 5432]) | from_intervals([(30000, 30030)])
BOTH = (ProbeTarget("B", B4, PORTS, PORTS), ProbeTarget("B", B6, PORTS, PORTS))
STREAMS = [(B4, "tcp"), (B4, "udp"), (B6, "tcp"), (B6, "udp")]


def prove(net: Network, *targets: ProbeTarget) -> tuple[SourceSession, WitnessSession, WitnessRecord]:
    """Fire A's targets once, with a witness on B."""
    plan = assignment("A", *targets)
    witness, source = net.witness("B"), net.source("A")
    witness.arm(KEY, expected("B", plan, external=(EXTERNAL4, EXTERNAL6)), [22])
    source.arm(KEY, plan)
    source.fire()
    return source, witness, witness.collect(quiet_ms=80)


def by_stream(witnessed: WitnessRecord) -> dict[tuple[str, str], SeenStream]:
    return {(seen.address, seen.protocol): seen for seen in witnessed.seen}


def replies(source: SourceSession) -> dict[tuple[str, str], SentStream]:
    return {(sent.address, sent.protocol): sent for sent in source.collect(quiet_ms=80)}


def test_without_a_firewall_everything_arrives_and_passes(net: Network) -> None:
    source, _, witnessed = prove(net, *BOTH)
    seen = by_stream(witnessed)
    assert sorted(seen) == STREAMS
    for (address, _), story in seen.items():
        assert (story.arrived, story.passed) == (PORTS, PORTS)
        assert (story.source_seen, story.destination_seen, story.shift) == (A6 if ":" in address else A4, address, 0)
    answers = replies(source)
    assert all(answers[stream].sent == PORTS for stream in STREAMS)
    assert answers[B4, "tcp"].rst == answers[B6, "tcp"].rst == PORTS
    assert answers[B4, "tcp"].synack == 0
    assert witnessed.overrun == 0


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_an_input_drop_lets_probes_arrive_but_not_pass(net: Network, protocol: str) -> None:
    net.rules("B", f"-A INPUT -p {protocol} --dport 5432 -j DROP")
    source, _, witnessed = prove(net, *BOTH)
    for (_, own), story in by_stream(witnessed).items():
        assert story.arrived == PORTS
        assert story.passed == (PORTS & ~from_ports([5432]) if own == protocol else PORTS)
    for (_, own), sent in replies(source).items():
        assert own != "tcp" or sent.rst == (PORTS & ~from_ports([5432]) if protocol == "tcp" else PORTS)


def test_a_reject_with_reset_answers_rst_without_passing(net: Network) -> None:
    net.rules("B", "-A INPUT -p tcp --dport 443 -j REJECT --reject-with tcp-reset")
    source, _, witnessed = prove(net, *BOTH)
    answers = replies(source)
    for address in (B4, B6):
        assert by_stream(witnessed)[address, "tcp"].passed == PORTS & ~from_ports([443])
        assert answers[address, "tcp"].rst == PORTS


def test_an_icmp_reject_on_the_way_names_who_sent_it(net: Network) -> None:
    net.rules("R", "-A FORWARD -p tcp --dport 443 -j REJECT", "-A FORWARD -p udp --dport 443 -j REJECT")
    source, _, witnessed = prove(net, *BOTH)
    answers, only = replies(source), from_ports([443])
    for protocol in ("tcp", "udp"):
        assert by_stream(witnessed)[B4, protocol].arrived == PORTS & ~only
        assert answers[B4, protocol].icmp[3, 3, "10.77.1.1"] & only == only
        assert answers[B6, protocol].icmp[1, 4, "fd77:1::1"] & only == only


def test_source_nat_is_seen(net: Network) -> None:
    net.rules("R", f"-t nat -A POSTROUTING -s {A4} -j MASQUERADE", families=(4,))
    _, _, witnessed = prove(net, *BOTH)
    seen = by_stream(witnessed)
    for protocol in ("tcp", "udp"):
        story = seen[B4, protocol]
        assert (story.arrived, story.passed, story.source_seen) == (PORTS, PORTS, ROUTER4)
        assert (story.destination_seen, story.shift) == (B4, 0)
        assert seen[B6, protocol].source_seen == A6
    assert len(witnessed.seen) == len(STREAMS)


def test_destination_nat_on_the_way_is_recognised_with_its_new_port(net: Network) -> None:
    for protocol in ("tcp", "udp"):
        rule = f"-t nat -A PREROUTING -p {protocol} --dport 443 -d"
        net.rules("R", f"{rule} {EXTERNAL4} -j DNAT --to-destination {B4}:30443", families=(4,))
        net.rules("R", f"{rule} {EXTERNAL6} -j DNAT --to-destination [{B6}]:30443", families=(6,))
    only = from_ports([443])
    listener(net, "B", 30443)
    external = [ProbeTarget("ingress", address, PORTS, PORTS) for address in (EXTERNAL4, EXTERNAL6)]
    source, _, witnessed = prove(net, *BOTH, *external)
    seen, answers = by_stream(witnessed), replies(source)
    for address, inside in ((EXTERNAL4, B4), (EXTERNAL6, B6)):
        for protocol in ("tcp", "udp"):
            story = seen[address, protocol]
            assert (story.arrived, story.passed, story.shift) == (only, only, 30000)
            assert (story.source_seen, story.destination_seen) == (A6 if ":" in address else A4, inside)
            assert (seen[inside, protocol].arrived, seen[inside, protocol].shift) == (PORTS, 0)
        assert answers[address, "tcp"].synack == only


def test_a_redirect_on_the_witness_itself_still_counts_as_passed(net: Network) -> None:
    net.rules("B", "-t nat -A PREROUTING -p tcp --dport 443 -j REDIRECT --to-ports 8443")
    _, _, witnessed = prove(net, *BOTH)
    for address in (B4, B6):
        assert by_stream(witnessed)[address, "tcp"].passed == PORTS


def test_what_a_lossy_path_swallows_is_found_by_firing_it_again(net: Network) -> None:
    net.rules("R", "-A FORWARD -m statistic --mode random --probability 0.3 -j DROP")
    source, witness, witnessed = prove(net, *BOTH)
    missing = {stream: PORTS & ~story.arrived for stream, story in by_stream(witnessed).items()}
    assert any(missing.values())
    for _ in range(30):
        fired = source.fire({stream: bits for stream, bits in missing.items() if bits})
        assert fired.sent == sum(bits.bit_count() for bits in missing.values())
        seen = by_stream(witness.collect(quiet_ms=50))
        missing = {stream: PORTS & ~seen[stream].arrived for stream in STREAMS}
        if not any(missing.values()):
            return
    pytest.fail(f"never arrived: {missing}")


def test_probes_for_another_host_and_of_another_run_are_not_seen(net: Network) -> None:
    plan = assignment("A", *BOTH, ProbeTarget("C", C4, PORTS, PORTS))
    witness, source = net.witness("B"), net.source("A")
    witness.arm(b"another run", expected("B", plan))
    source.arm(KEY, plan)
    source.fire()
    assert witness.collect(quiet_ms=80).seen == ()
    witness.arm(KEY, expected("B", plan))
    assert witness.collect(quiet_ms=80).seen == ()
    source.fire()
    assert sorted(by_stream(witness.collect(quiet_ms=80))) == STREAMS


def test_a_plain_connection_to_a_watched_port_is_told_apart_from_probes(net: Network) -> None:
    net.rules("B", "-A INPUT -p tcp --dport 23 -j DROP")
    witness = net.witness("B")
    witness.arm(KEY, (), [22, 23])
    for address in (B4, B6):
        for port in (22, 23, 24):
            connect(net, "A", address, port)
    witnessed = witness.collect(quiet_ms=80)
    assert witnessed.overrun == 0
    assert {(connect.source, connect.port, connect.arrived, connect.passed) for connect in witnessed.connects} == {
        (source, port, True, port == 22) for source in (A4, A6) for port in (22, 23)
    }


def test_at_a_bridge_a_probe_is_seen_before_the_filter_that_the_bridge_itself_asks(net: Network) -> None:
    # As on a node: the bridge has an address of its own, not one of its ports'.
    net.run_ip("R", "link", "set", "bridge", "address", "02:00:00:00:00:77")
    net.run_ip("B", "neigh", "flush", "all")
    net.sysctl(net.spaces["R"], "net.bridge.bridge-nf-call-iptables=1")
    net.rules("R", "-t raw -A PREROUTING -i bridge -p tcp --dport 30000:30030 -j DROP", families=(4,))
    plan = assignment("B", ProbeTarget("R", ROUTER4, PORTS))
    witness, source = net.witness("R"), net.source("B")
    witness.arm(KEY, expected_at([plan], {ROUTER4}))
    source.arm(KEY, plan)
    source.fire()
    (story,) = witness.collect(quiet_ms=80).seen
    assert story.arrived == PORTS
    assert story.passed == PORTS & ~from_intervals([(30000, 30030)])
