"""Hosts that others are reached through are changed first and alone, and what lies behind them is looked at anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from flows._firewall import change, order
from flows._firewall.change import FirewallSessions, PreparedHost, sessions
from flows._firewall.order import FirewallWork, change_in_order
from flows._fleet.failure import HostFailure
from model.errors import HostError, Interrupted, Unreachable
from model.report.outcome import Outcome, Status
from model.ufw.facts import FirewallFacts
from tests.model.ufw.test_gateways import SEEN


def prepared(facts: FirewallFacts, *, differs: bool = True, refusal: str | None = None) -> PreparedHost:
    """Return a host as it was looked at."""
    review: Any = SimpleNamespace(plan=SimpleNamespace(change=differs, install=False), refusal=refusal)
    return PreparedHost(facts=facts, review=review, session=None)


class Session:
    """A session that is only ended."""

    def __init__(self, name: str, log: list[str], unconfirmed: str = "") -> None:
        self.host, self.log, self.unconfirmed = name, log, unconfirmed

    def end(self) -> None:
        self.log.append(f"end {self.host}")

    def close(self) -> None:
        return


class Fleet:
    """Hosts by name; what happens to them is written down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        self.kept = FirewallSessions({name: Session(name, self.log) for name in SEEN})  # type: ignore[misc]
        self.ready = {name: prepared(facts) for name, facts in SEEN.items()}
        self.failing: dict[str, Status] = {}
        self.lost: frozenset[str] = frozenset()
        self.refusal: str | None = None
        monkeypatch.setattr(order, "run_on_hosts", self.run_on_hosts)

    def run_on_hosts(self, nr: Any, task: Callable[[Any], Any], *, names: Sequence[str], **_: Any) -> dict[str, Any]:
        answers: dict[str, Any] = {}
        for name in names:
            try:
                answers[name] = task(nr.inventory.hosts[name])
            except HostError as error:
                answers[name] = HostFailure(host=name, exception=error, message=error.message)
        return answers

    def host(self, name: str) -> Any:
        return SimpleNamespace(name=name, close_connections=lambda: self.log.append(f"close {name}"))

    def look(self, host: Any) -> PreparedHost:
        self.log.append(f"look {host.name}")
        if host.name in self.lost:
            raise Unreachable(host.name, "no answer")
        return prepared(SEEN[host.name], refusal=self.refusal)

    def change(self, host: Any, _prepared: PreparedHost, behind: Any) -> tuple[Outcome, ...]:
        self.log.append(f"change {host.name}{f' for {behind.name}' if behind else ''}")
        return (Outcome(host.name, "firewall", self.failing.get(host.name, Status.CHANGED)),)

    def work(self, *, dry: bool = False) -> dict[str, Outcome]:
        context: Any = SimpleNamespace(awaiting=lambda *_: nullcontext())
        nr: Any = SimpleNamespace(inventory=SimpleNamespace(hosts={name: self.host(name) for name in SEEN}))
        kept = None if dry else self.kept
        work = FirewallWork(
            nr=nr, context=context, kept=kept, look=self.look, change=self.change, limit=lambda _hosts: 1.0
        )
        return {outcome.host: outcome for outcome in change_in_order(work, self.ready)}


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    return Fleet(monkeypatch)


def test_the_way_is_changed_hop_by_hop_and_nobody_is_connected_through_it_meanwhile(fleet: Fleet) -> None:
    done = fleet.work()
    assert fleet.log == [
        *("end w-1", "end b-1", "close w-1", "close b-1", "change a-1 for b-1", "look w-1", "look b-1"),
        *("close w-1", "change b-1 for w-1", "look w-1"),
        *("change w-1", "change db-1"),
    ]
    assert set(done) == set(SEEN)


def test_where_nothing_changes_on_the_way_nobody_connects_anew(fleet: Fleet) -> None:
    fleet.ready |= {name: prepared(SEEN[name], differs=False) for name in ("a-1", "b-1")}
    fleet.work()
    assert not [line for line in fleet.log if line.startswith(("look", "close", "end"))]
    assert [line for line in fleet.log if "for" in line] == []


def test_a_dry_run_looks_once(fleet: Fleet) -> None:
    fleet.work(dry=True)
    assert fleet.log == [f"change {name}" for name in SEEN]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.FAILED, "whose firewall could not be changed"),
        (Status.CHANGED, "whose firewall was changed just before"),
    ],
)
def test_a_host_that_is_lost_behind_another_names_it(fleet: Fleet, status: Status, words: str) -> None:
    fleet.failing, fleet.lost = {"a-1": status}, frozenset({"w-1"})
    done = fleet.work()
    assert done["w-1"].status is Status.FAILED
    assert f"no answer; it is reached through a-1, {words}" in done["w-1"].message
    assert done["w-1"].next.startswith("look at a-1 first")
    assert "change w-1" not in fleet.log
    assert done["b-1"].status is Status.CHANGED


def test_a_host_that_would_now_be_locked_out_is_not_changed(fleet: Fleet) -> None:
    fleet.refusal = "w-1: it would lock out"
    done = fleet.work()
    assert (done["w-1"].status, done["db-1"].status) == (Status.FAILED, Status.CHANGED)
    assert done["w-1"].message == "refused: w-1: it would lock out"


def test_the_proof_of_a_jump_host_goes_on_to_a_host_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def reconnect_proof(host: Any, timeout: float) -> float:
        asked.append(host.name)
        if host.name == "w-1":
            raise Unreachable("w-1", "no answer")
        return 1.0

    monkeypatch.setattr("remote.shell.reconnect_proof", reconnect_proof)
    change.prove(SimpleNamespace(name="db-1"), None)  # type: ignore[arg-type]
    with pytest.raises(HostError, match="a-1: w-1 can no longer be reached through it: no answer"):
        change.prove(SimpleNamespace(name="a-1"), SimpleNamespace(name="w-1"))  # type: ignore[arg-type]
    assert asked == ["db-1", "a-1", "w-1"]


def interrupted(states: dict[str, str], log: list[str]) -> None:
    """Interrupt a run that holds sessions."""
    with sessions() as kept:
        kept.open |= {name: Session(name, log, state) for name, state in states.items()}  # type: ignore[misc]
        raise KeyboardInterrupt


def test_an_interrupt_names_every_host_whose_change_waits() -> None:
    log: list[str] = []
    with pytest.raises(Interrupted) as raised:
        interrupted({"w-1": "armed", "db-1": "confirming", "cp-1": ""}, log)
    assert "it is taken back by itself within 20 s, at " in raised.value.hosts["w-1"]
    assert "it stays, or is taken back" in raised.value.hosts["db-1"]
    assert "cp-1" not in raised.value.hosts
    assert log == ["end w-1", "end db-1", "end cp-1"]


def test_an_interrupt_while_nothing_waits_is_a_plain_one() -> None:
    with pytest.raises(KeyboardInterrupt) as raised:
        interrupted({"w-1": ""}, [])
    assert not isinstance(raised.value, Interrupted)
