"""Sets of ports say the same in every form."""

from __future__ import annotations

import binascii
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import bits

PORTS = st.integers(0, bits.PORTS - 1)
SETS = st.one_of(
    st.sets(PORTS, max_size=200),
    st.lists(st.tuples(PORTS, st.integers(1, 5000)), max_size=20).map(
        lambda runs: {port for lo, size in runs for port in range(lo, min(lo + size, bits.PORTS))}
    ),
)


@given(SETS)
def test_every_form_says_the_same_ports(ports: set[int]) -> None:
    whole = bits.from_ports(ports)
    assert bits.to_ports(whole) == sorted(ports)
    assert bits.count(whole) == len(ports)
    assert bits.from_intervals(bits.to_intervals(whole)) == whole
    assert bits.decode(bits.encode(whole)) == whole
    assert bits.from_marks(bits.to_marks(whole)) == whole


@given(SETS)
def test_intervals_are_the_fewest_and_ascending(ports: set[int]) -> None:
    intervals = bits.to_intervals(bits.from_ports(ports))
    assert all(before[1] + 1 < after[0] for before, after in pairwise(intervals))


@given(st.lists(st.tuples(PORTS, PORTS).map(lambda ends: (min(ends), max(ends))), max_size=8))
def test_overlapping_intervals_make_their_union(intervals: list[tuple[int, int]]) -> None:
    union = {port for lo, hi in intervals for port in range(lo, hi + 1)}
    assert bits.to_ports(bits.from_intervals(intervals)) == sorted(union)


@pytest.mark.parametrize("interval", [(-1, 5), (5, 4), (0, 65536)])
def test_what_is_no_interval_of_ports_is_refused(interval: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no interval"):
        bits.from_intervals([interval])


@pytest.mark.parametrize("port", [-1, 65536])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(ValueError, match="no port"):
        bits.from_ports([port])


@given(st.lists(SETS, max_size=6))
def test_a_pool_writes_equal_sets_once(sets: list[set[int]]) -> None:
    pool = bits.Pool()
    places = [pool.add(bits.from_ports(ports)) for ports in sets]
    unpooled = bits.unpool(pool.texts)
    assert [unpooled[place] for place in places] == [bits.from_ports(ports) for ports in sets]
    assert len(pool.texts) == len({frozenset(ports) for ports in sets})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64",
        "äöü",
        binascii.b2a_base64(b"not zlib", newline=False).decode(),
        bits.encode(bits.from_ports([1, 60000]))[:-8],
        binascii.b2a_base64(zlib.compress(bytes(10_000_000)), newline=False).decode(),
        binascii.b2a_base64(zlib.compress(b"\1") + b"more", newline=False).decode(),
    ],
)
def test_a_text_that_is_no_set_is_refused_without_unpacking_it_all(text: str) -> None:
    with pytest.raises(ValueError, match=r"set of ports|ascii"):
        bits.decode(text)
