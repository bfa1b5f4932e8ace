"""A probe whose addresses NAT changed is told by its tag, and not taken for another source's."""

from __future__ import annotations

from itertools import count

from model.bits import from_intervals
from remote.probe.agent.streams import Watched, recognise

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
    assert recognise([first, second], port, second.tag(port)) == (second, port)
    assert recognise([second, first], foreign, second.tag(port)) == (first, foreign)


def test_a_port_that_nat_changed_is_read_from_the_tag_and_what_is_no_probe_is_nobodys() -> None:
    first, _ = _streams(0)
    assert recognise([first], 31000, first.tag(443)) == (first, 443)
    stranger = next(tag for tag in range(1, 1000) if first.probed(tag) < 0)
    assert recognise([first], 443, stranger) is None
