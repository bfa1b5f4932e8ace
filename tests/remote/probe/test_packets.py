"""What probes carry can be read again, and looks like what it claims to be."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remote.probe.agent.packets import MSS, SYN, SYN_FLAGS, WINDOW, payload, read_payload, syn_checksum, syn_sum
from remote.probe.agent.tags import PRIME, Tags, magic

PORTS = st.integers(1, 65535)
WORDS = st.integers(0, 2**32 - 1)
ADDRESSES = {4: ("192.0.2.1", "198.51.100.200"), 6: ("2001:db8::1", "2001:db8:ffff::fffe")}


def ones_complement_sum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize("family", [4, 6])
@given(port_from=PORTS, port=PORTS, sequence=st.integers(0, PRIME - 1))
def test_a_syn_has_the_checksum_that_its_receiver_computes(
    family: int, port_from: int, port: int, sequence: int
) -> None:
    source, target = (
        socket.inet_pton(socket.AF_INET if family == 4 else socket.AF_INET6, text) for text in ADDRESSES[family]
    )
    checksum = syn_checksum(syn_sum(source, target, port_from), port, sequence)
    segment = SYN.pack(port_from, port, sequence, 0, SYN_FLAGS, WINDOW, checksum, 0, MSS[family])
    pseudo = source + target + struct.pack("!HH", 6, len(segment))
    assert ones_complement_sum(pseudo + segment) == 0xFFFF


@pytest.mark.parametrize("request_name", ["", "stun", "ntp", "dns"])
@given(run=WORDS, check=WORDS, tag=WORDS)
def test_a_payload_gives_back_its_tag_to_its_own_run_alone(request_name: str, run: int, check: int, tag: int) -> None:
    data = payload(request_name, run, check, tag)
    assert read_payload(data, run) == (check, tag)
    assert read_payload(data, run ^ 0x80) is None


def test_a_request_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="telnet"):
        payload("telnet", 1, 2, 3)


@given(st.binary(max_size=80), WORDS)
def test_foreign_payloads_are_nobodys(data: bytes, run: int) -> None:
    if run.to_bytes(4, "big") not in data and f"{run:08x}".encode() not in data:
        assert read_payload(data, run) is None


@given(st.binary(max_size=40), st.text(max_size=20), PORTS)
def test_a_tag_leads_back_to_its_port(key: bytes, source: str, port: int) -> None:
    tags = Tags(key, source, "192.0.2.1", "tcp")
    assert 0 <= tags.tag(port) < PRIME
    assert tags.port(tags.tag(port)) == port


def test_tags_differ_by_run_source_address_protocol_and_port() -> None:
    streams = [
        Tags(key, source, address, protocol)
        for key in (b"run 1", b"run 2")
        for source in ("a", "b")
        for address in ("192.0.2.1", "192.0.2.2")
        for protocol in ("tcp", "udp")
    ]
    tags = [stream.tag(port) for stream in streams for port in range(1, 200)]
    assert len(set(tags)) == len(tags)
    assert len({stream.check for stream in streams}) == len(streams)
    assert magic(b"run 1") != magic(b"run 2")


def test_a_tag_of_one_stream_is_a_port_of_no_other() -> None:
    first, other = Tags(b"key", "a", "192.0.2.1", "tcp"), Tags(b"key", "b", "192.0.2.1", "tcp")
    mistaken = sum(other.port(first.tag(port)) < 65536 for port in range(1, 65536))
    assert mistaken < 20
