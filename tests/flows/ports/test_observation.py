"""Hosts are asked before and after the probes whether their firewall may be taken back."""

from __future__ import annotations

from typing import Any, cast

import pytest

from flows._fleet.failure import HostFailure
from flows._ports import observation
from flows._ports.observation import ObservedHosts, observe_again, pace, slowed, unconfirmed_by_now
from model.errors import Unreachable
from model.host.hostview import HostView
from model.ufw.unconfirmed import UnconfirmedChange
from tests.model.verify.test_evidence import pair

WAITING = UnconfirmedChange(state="armed")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let w-1 answer that nothing waits, w-2 that a change does, and w-3 not at all; return who was asked."""
    names: list[str] = []

    def answer(_nr: Any, _look: Any, *, names: tuple[str, ...], **_: Any) -> dict[str, object]:
        asked_now.extend(names)
        lost = HostFailure(host="w-3", exception=Unreachable("w-3", "no answer"), message="no answer")
        answers = {"w-1": None, "w-2": WAITING, "w-3": lost}
        return {name: answers[name] for name in names}

    asked_now = names
    monkeypatch.setattr(observation, "run_on_hosts", answer)
    return names


def seen(*names: str, **unconfirmed: UnconfirmedChange) -> ObservedHosts:
    views = {name: HostView(chains={}) for name in names}
    return ObservedHosts(views=views, agentless=(), rules=None, failures={}, unconfirmed=unconfirmed)


def test_a_change_that_came_meanwhile_is_told(asked: list[str]) -> None:
    later = unconfirmed_by_now(cast("Any", None), seen("w-1", "w-2"), ())
    assert (dict(later.unconfirmed), dict(later.failures)) == ({"w-2": WAITING}, {})
    assert asked == ["w-1", "w-2"]


def test_one_that_waited_before_stays_told(asked: list[str]) -> None:
    later = unconfirmed_by_now(cast("Any", None), seen("w-1", **{"w-1": WAITING}), ())
    assert (dict(later.unconfirmed), asked) == ({"w-1": WAITING}, [])


def test_a_host_that_cannot_be_asked_any_more_is_a_failure_told_once(asked: list[str]) -> None:
    assert set(unconfirmed_by_now(cast("Any", None), seen("w-3"), ()).failures) == {"w-3"}
    assert unconfirmed_by_now(cast("Any", None), seen("w-3"), ["w-3"]).failures == {}
    assert asked == ["w-3"]


def test_a_host_that_gives_no_answer_again_holds_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    before, now = (HostView(chains={}, interfaces={address: "eth0"}) for address in ("10.0.0.1", "10.0.0.2"))
    lost = HostFailure(host="cp-2", exception=Unreachable("cp-2", "no answer"), message="no answer")
    answers = {"cp-1": observation._HostAnswer(now, True), "cp-2": lost}
    monkeypatch.setattr(observation, "run_on_hosts", lambda *_, names, **__: {name: answers[name] for name in names})
    first = ObservedHosts(views=dict.fromkeys(("w-1", "cp-1", "cp-2"), before), agentless=(), rules=None, failures={})
    again = observe_again(cast("Any", None), first, ["cp-1", "cp-2", "cp-3"])
    assert again.views == {"w-1": before, "cp-1": now}
    assert set(again.failures) == {"cp-2"}


def test_a_run_that_is_slow_says_where_and_why() -> None:
    probes = [pair("w-1", "db-1", probed=(1 << 65536) - 2)]
    views = {"w-1": HostView(chains={}, conntrack=(256, 20)), "db-1": HostView(chains={}, conntrack=(262144, 20))}
    rate, seconds = pace(probes, 20_000, views)
    (told,) = slowed(probes, 20_000, views)
    assert (rate, seconds > 600) == (100, True)
    assert (told.host, told.subject, told.status) == ("w-1", "pace", "ok")
    assert "room for 100 packets/s (20 of 256 entries in use)" in told.message
    assert "nf_conntrack_max" in told.next
    assert slowed(probes, 20_000, {"db-1": views["db-1"]}) == ()
