"""Claims about one pair of users who talk over several ways: each way is told of by what passed there alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apps.message_probe.administration import Administration
from apps.message_probe.leftovers import leftovers
from apps.message_probe.probe import Wishes, converse_over
from apps.message_probe.wire import Origin, dial_to
from tests.apps.conftest import port_of
from tests.apps.proxy import Passing, Proxy, place, proxied
from tests.remote.homeserver import Homeserver

WHOLE = Wishes(encrypted=False, media=False)
CLEAR = Wishes(encrypted=False, media=False, signals=False, messages=2)
# Steps that every way is tried by.
EVERYWHERE = {
    "send", "message", "receipt", "typing", "to-device", "publish keys", "key handed over", "send encrypted",
    "encrypted message", "upload", "download", "thumbnail",
}  # fmt: skip


@pytest.fixture
def other(synapse: Homeserver) -> Iterator[Proxy]:
    """A second way."""
    with proxied(port_of(synapse)) as running:
        yield running


def way(proxy: Proxy) -> Origin:
    return Origin(name="127.0.0.1", port=proxy.port, dial=dial_to("127.0.0.1", proxy.port))


def refused(passing: Passing, words: str) -> None:
    if words in passing.path:
        passing.status, passing.body = 403, b'{"errcode": "M_FORBIDDEN"}'


def test_the_same_two_go_on_over_each_way(proxy: Proxy, other: Proxy, administration: Administration) -> None:
    seen: list[tuple[str, str]] = []
    other.before = lambda passing: seen.append((passing.method, place(passing)))
    begun: list[int] = []
    first, second = converse_over([way(proxy), way(other)], administration, WHOLE, CLEAR, begun.append)
    assert (first.failures, second.failures, first.left, second.left) == ((), (), (), ())
    assert begun == [0, 1]
    names = [step.name for step in second.steps]
    assert (names.count("message"), names.count("receipt"), second.acknowledged) == (2, 2, 2)
    # Nobody is made, and no room: what passed here are syncs, messages and receipts alone.
    assert {path.rpartition("/")[2] if path.endswith("/sync") else path.split("/")[6] for _, path in seen} == {
        "sync", "send", "receipt",
    }  # fmt: skip
    assert leftovers(administration) == ()
    administration.clear((), (), ())


def test_what_does_not_arrive_over_one_way_is_that_ways_alone(
    proxy: Proxy, other: Proxy, administration: Administration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.message_probe.inbox.ARRIVES", 2.0)

    def empty(passing: Passing) -> None:
        if place(passing).endswith("/sync"):
            passing.body = passing.body.replace(b"m.room.message", b"m.room.nothing")
            passing.body = passing.body.replace(b"event_id", b"event_no")

    other.after = empty
    heard = converse_over([way(proxy), way(other), way(proxy)], administration, WHOLE)
    assert [bool(found.failures) for found in heard] == [False, True, False]
    assert heard[1].failures[0].startswith("message: not received within 2 s")
    assert heard[2].acknowledged == len(heard[2].message_ms) == 3


def test_a_way_that_lets_nobody_in_leaves_the_others_to_go_on(
    proxy: Proxy, other: Proxy, administration: Administration
) -> None:
    other.before = lambda passing: refused(passing, "/sync")
    heard = converse_over([way(proxy), way(other), way(proxy)], administration, WHOLE)
    assert [found.failures for found in heard] == [(), ("sync: HTTP 403: M_FORBIDDEN",), ()]


def test_those_who_cannot_meet_over_the_first_way_meet_over_the_next(
    proxy: Proxy, other: Proxy, administration: Administration
) -> None:
    proxy.before = lambda passing: refused(passing, "/createRoom")
    begun: list[int] = []
    heard = converse_over([way(proxy), way(other), way(proxy)], administration, WHOLE, begins=begun.append)
    assert [found.failures for found in heard] == [("create a room: HTTP 403: M_FORBIDDEN",), (), ()]
    assert begun == [0, 1, 2]
    assert "typing" in [step.name for step in heard[1].steps]
    assert leftovers(administration) == ()
    administration.clear((), (), ())


def test_what_fails_after_they_met_is_told_of_and_ends_that_way_alone(
    proxy: Proxy, other: Proxy, administration: Administration
) -> None:
    proxy.before = lambda passing: refused(passing, "/typing/")
    first, second = converse_over([way(proxy), way(other)], administration, WHOLE)
    assert first.failures == ("typing: HTTP 403: M_FORBIDDEN",)
    assert second.failures == ()


def test_everything_is_tried_over_every_way(proxy: Proxy, other: Proxy, administration: Administration) -> None:
    heard = converse_over([way(proxy), way(other), way(proxy)], administration, Wishes())
    assert [(found.failures, found.left) for found in heard] == [((), ())] * 3
    for found in heard:
        assert {step.name for step in found.steps} >= EVERYWHERE
    assert len({found.medium.uri for found in heard if found.medium}) == 3
    assert leftovers(administration) == ()
    administration.clear((), (), ())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("/typing/", "typing: HTTP 403"),
        ("/sendToDevice/io.matrix_fleet.probe/", "to-device: HTTP 403"),
        ("/keys/upload", "upload keys: HTTP 403"),
        ("/keys/claim", "claim a key: HTTP 403"),
        ("/send/m.room.encrypted/", "send: HTTP 403"),
        ("/media/v3/upload", "upload a medium: HTTP 403"),
        ("/media/download/", "download a medium: HTTP 403"),
    ],
)
def test_what_a_later_way_alone_refuses_is_told_of_that_way(
    proxy: Proxy, other: Proxy, administration: Administration, words: str, told: str
) -> None:
    other.before = lambda passing: refused(passing, words)
    heard = converse_over([way(proxy), way(other), way(proxy)], administration, Wishes())
    assert [len(found.failures) for found in heard] == [0, 1, 0]
    assert heard[1].failures[0].startswith(told)


def test_a_key_that_one_way_lost_keeps_no_other_from_its_own(
    proxy: Proxy, other: Proxy, administration: Administration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.message_probe.inbox.ARRIVES", 4.0)

    def lose(passing: Passing) -> None:
        if place(passing).endswith("/sync"):
            passing.body = passing.body.replace(b"m.olm.v1", b"m.olm.none")

    other.after = lose
    heard = converse_over([way(proxy), way(other), way(proxy)], administration, Wishes(media=False))
    assert [len(found.failures) for found in heard] == [0, 1, 0]
    assert heard[1].failures[0].startswith("the room's key: not received within 4 s")
