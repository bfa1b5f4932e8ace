"""A probe whose addresses NAT changed is told by its tag, and not taken for another source's."""

from __future__ import annotations

from itertools import count

import pytest

from model.bits import from_intervals, from_ports
from remote.probe.agent.streams import FEW, Tagged, Watched, recognise

_ALL = from_intervals([(1, 65535)])


def _streams(number: int) -> tuple[Watched, Watched]:
    key = number.to_bytes(16, "big")
    first, second = (Watched(key, name, ["10.0.0.9"], "10.0.0.1", "tcp", _ALL) for name in ("A", "B"))
    return first, second


def _mistakable() -> tuple[Watched, Watched, int]:
    """Return two streams and a port of the second whose tag is one of the first's too."""
    for number in count():
        first, second = _streams(number)
        for port in range(1, 65536):
            if first.probed(second.tag(port)) >= 0:
                return first, second, port
    raise AssertionError("count() never ends")


def test_a_tag_that_two_streams_know_is_that_of_the_port_it_was_seen_at() -> None:
    first, second, port = _mistakable()
    foreign = first.probed(second.tag(port))
    assert foreign != port
    assert recognise(Tagged([first, second]), port, second.tag(port)) == (second, port)
    assert recognise(Tagged([second, first]), foreign, second.tag(port)) == (first, foreign)


def test_a_port_that_nat_changed_is_read_from_the_tag_and_what_is_no_probe_is_nobodys() -> None:
    first, _ = _streams(0)
    assert recognise(Tagged([first]), 31000, first.tag(443)) == (first, 443)
    stranger = next(tag for tag in range(1, 1000) if first.probed(tag) < 0)
    assert recognise(Tagged([first]), 443, stranger) is None


@pytest.mark.parametrize("more", [0, FEW])
def test_a_table_of_tags_says_what_computing_them_says(more: int) -> None:
    """Few planned ports stand in a table, many are computed: neither knows a tag that the other does not."""
    ports = [1, 22, 443, 8008, 65535]
    streams = [
        Watched(bytes(16), f"source-{number}", ["10.0.0.9"], "10.0.0.1", "tcp", from_ports(ports))
        for number in range(20)
    ]
    if more:
        streams.append(Watched(bytes(16), "sweep", ["10.0.0.8"], "10.0.0.1", "tcp", from_intervals([(1, more)])))
    tagged = Tagged(streams)
    assert tagged.few is not bool(more)
    for stream in streams[:20]:
        for port in ports:
            assert (stream, port) in tagged.of(stream.tag(port))
            assert recognise(tagged, port, stream.tag(port)) == (stream, port)
        # Not planned: the tag is this stream's, and still nobody's.
        assert all(known is not stream for known, _ in tagged.of(stream.tag(23)))
