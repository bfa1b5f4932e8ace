"""
The judgement of random rulesets against a real kernel that is sent real packets, in two namespaces of this test alone.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

import pytest

from model import bits
from model.packets.netfilter import Packet, judge, parse
from tests import namespaces

SOURCE, OWN = {4: "10.78.0.2", 6: "fd78::2"}, {4: "10.78.0.1", 6: "fd78::1"}
PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
PORTS = range(1000, 1040)
RULESETS = 60


@dataclass(frozen=True)
class Ends:
    """Raw sockets by IP version and protocol: a sender in one namespace, a receiver behind INPUT in the other."""

    guarded: str
    senders: dict[tuple[int, str], socket.socket]
    receivers: dict[tuple[int, str], socket.socket]


def run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr, stdin)
    return done.stdout


def raw_sockets(namespace: str) -> dict[tuple[int, str], socket.socket]:
    """Sockets belong to the namespace of the thread that makes them."""
    sockets: dict[tuple[int, str], socket.socket] = {}

    def make() -> None:
        handle = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        assert ctypes.CDLL(None, use_errno=True).setns(handle, 0x40000000) == 0, os.strerror(ctypes.get_errno())
        os.close(handle)
        for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
            for name, number in PROTOCOLS.items():
                sockets[version, name] = socket.socket(family, socket.SOCK_RAW, number)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return sockets


@pytest.fixture(scope="module")
def ends(real_machine: None) -> Iterator[Ends]:
    guarded, outside = namespaces.add("g"), namespaces.add("o")
    opened: list[socket.socket] = []
    try:
        run("ip", "-n", guarded, "link", "add", "eth0", "type", "veth", "peer", "eth0", "netns", outside)
        for space, addresses in ((guarded, OWN), (outside, SOURCE)):
            run("ip", "-n", space, "link", "set", "eth0", "up")
            run("ip", "-n", space, "address", "add", f"{addresses[4]}/24", "dev", "eth0")
            run("ip", "-n", space, "address", "add", f"{addresses[6]}/64", "dev", "eth0", "nodad")
        # The rulesets would drop IPv6's neighbour discovery as well.
        (there,) = json.loads(run("ip", "-n", guarded, "-j", "link", "show", "eth0"))
        for address in OWN.values():
            run("ip", "-n", outside, "neighbour", "add", address, "lladdr", there["address"], "dev", "eth0")
        senders, receivers = raw_sockets(outside), raw_sockets(guarded)
        opened = [*senders.values(), *receivers.values()]
        yield Ends(guarded, senders, receivers)
    finally:
        for target in opened:
            target.close()
        for space in (guarded, outside):
            namespaces.remove(space)


def ruleset(chance: random.Random, version: int) -> str:
    own, peer = OWN[version], SOURCE[version]
    bits_of = 32 if version == 4 else 128
    lines = ["*filter", f":INPUT {chance.choice(['ACCEPT', 'DROP'])} [0:0]", ":one - [0:0]", ":two - [0:0]"]
    for _ in range(chance.randrange(3, 11)):
        chain = chance.choice(["INPUT", "INPUT", "INPUT", "one", "two"])
        targets = ["ACCEPT", "DROP", "RETURN", "REJECT", "LOG --log-level 7"]
        deeper = {"INPUT": ["one", "two"], "one": ["two"], "two": []}[chain]
        jump = chance.choice([*(f"-j {target}" for target in targets + deeper), *(f"-g {target}" for target in deeper)])
        lines.append(" ".join([f"-A {chain}", *conditions(chance, own, peer, bits_of), jump]))
    return "\n".join([*lines, "COMMIT", ""])


def conditions(chance: random.Random, own: str, peer: str, width: int) -> list[str]:
    def negate() -> str:
        return chance.choice(["", "", "! "])

    def interval() -> str:
        low = chance.choice(PORTS)
        return chance.choice([f"{low}", f"{low}:{low + chance.randrange(1, 12)}"])

    admitted = []
    if chance.random() < 0.3:
        admitted.append(f"{negate()}-s {chance.choice([peer, own])}/{chance.choice([width, width - 8])}")
    if chance.random() < 0.2:
        admitted.append(f"{negate()}-d {chance.choice([peer, own])}/{width}")
    if chance.random() < 0.2:
        admitted.append(f"{negate()}-i {chance.choice(['eth0', 'lo', 'eth+', 'wlan0'])}")
    if chance.random() < 0.2:
        admitted.append(f"-m conntrack {negate()}--ctstate {chance.choice(['NEW', 'ESTABLISHED,RELATED', 'INVALID'])}")
    if chance.random() < 0.2:
        kind = f"{chance.choice(['--dst-type', '--src-type'])} {chance.choice(['LOCAL', 'UNICAST', 'MULTICAST'])}"
        admitted.append(f"-m addrtype {negate()}{kind}")
    if chance.random() < 0.7:
        name = chance.choice(list(PROTOCOLS))
        ported = chance.choice(
            [f"-m {name} {negate()}--dport {interval()}", f"-m multiport {negate()}--dports {interval()},{interval()}"]
        )
        syn = f"-m tcp {negate()}--syn" if name == "tcp" and chance.random() < 0.3 else ""
        admitted.append(f"-p {name} {ported} {syn}")
    return admitted


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def segment(version: int, protocol: str, port: int, number: int) -> bytes:
    """A SYN or an 8-byte datagram; `number` keeps flows of earlier rulesets apart for connection tracking."""
    length = 20 if protocol == "tcp" else 8

    def packed(check: int) -> bytes:
        if protocol == "udp":
            return struct.pack("!HHHH", 40000 + number, port, length, check)
        return struct.pack("!HHIIBBHHH", 40000 + number, port, number, 0, 5 << 4, 2, 1024, check, 0)

    pseudo = ip_address(SOURCE[version]).packed + ip_address(OWN[version]).packed
    pseudo += struct.pack("!HH", PROTOCOLS[protocol], length)
    return packed(checksum(pseudo + packed(0)))


def witnessed(ends: Ends, version: int, protocol: str, number: int) -> int:
    """Send one packet to every port and return the ports of those that came out behind INPUT."""
    sender, receiver = ends.senders[version, protocol], ends.receivers[version, protocol]
    for port in PORTS:
        sender.sendto(segment(version, protocol, port, number), (OWN[version], 0))
    # Packets cross a veth pair within sendto; what is not in the receiver's buffer now was refused.
    receiver.setblocking(False)
    passed: set[int] = set()
    while True:
        try:
            data = receiver.recv(2048)
        except BlockingIOError:
            return bits.from_ports(passed)
        header = data[(data[0] & 15) * 4 :] if version == 4 else data
        source, port = struct.unpack("!HH", header[:4])
        if source == 40000 + number:
            passed.add(port)


@pytest.mark.parametrize("version", [4, 6])
def test_the_judgement_is_the_kernels(ends: Ends, version: int) -> None:
    chance = random.Random(20261123 + version)  # noqa: S311 - no secret hangs on it
    program = "iptables" if version == 4 else "ip6tables"
    inside = ("ip", "netns", "exec", ends.guarded)
    spread = 0
    for number in range(RULESETS):
        text = ruleset(chance, version)
        run(*inside, f"{program}-restore", stdin=text)
        chains = parse(run(*inside, f"{program}-save", "-t", "filter"))
        for protocol in PROTOCOLS:
            packet = Packet(ip_address(SOURCE[version]), ip_address(OWN[version]), protocol, "eth0")
            admitted = judge(chains, "INPUT", packet)
            assert admitted.uncertain == 0, text
            seen = witnessed(ends, version, protocol, number)
            expected = admitted.admitted & bits.from_ports(PORTS)
            assert seen == expected, (text, protocol, bits.to_intervals(seen), bits.to_intervals(expected))
            spread += 0 < seen.bit_count() < len(PORTS)
    assert spread > RULESETS // 5, "most rulesets let all or nothing through: they would prove little"


def test_a_table_of_native_rules_is_not_taken_for_an_empty_one(ends: Ends) -> None:
    inside = ("ip", "netns", "exec", ends.guarded)
    # Of another priority than iptables' own: it refuses everything, and iptables shows an empty table beside its
    # warning.
    native = "table ip filter {\nchain mine {\ntype filter hook input priority 10; policy drop;\n}\n}\n"
    run(*inside, "nft", "flush", "ruleset")
    run(*inside, "nft", "-f", "-", stdin=native)
    try:
        saved = run(*inside, "iptables-save")
        with pytest.raises(ValueError, match="cannot show"):
            parse(saved)
    finally:
        run(*inside, "nft", "flush", "ruleset")
