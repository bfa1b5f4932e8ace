"""Ends of one host share its packets a second by what each has to send this time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest

from flows._ports import agent_pool
from flows._ports.agent_pool import AgentPool, Agents
from flows._ports.ends import End
from model import bits
from model.verify.pairs import Pair
from model.verify.probing import Assignment, FiredRound
from tests.model.verify.test_evidence import pair

RATE = 1000


class Source:
    """A source that writes down how fast it was told to send."""

    def __init__(self) -> None:
        self.rates: list[int] = []

    def arm(self, _key: bytes, assignment: Assignment) -> int:
        """Take what is to be fired; return how many probes that are."""
        return sum(bits.count(target.tcp) + bits.count(target.udp) for target in assignment.targets)

    def fire(self, *_: object, rate: int, **__: object) -> FiredRound:
        """Send nothing."""
        self.rates.append(rate)
        return FiredRound(0, 0, 0, 0.0)


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> dict[str, Source]:
    def each_end(_nr: Any, step: Callable[..., Any], names: Collection[str], _deadline: float) -> Mapping[str, Any]:
        return {name: step(None, name) for name in names}

    monkeypatch.setattr(agent_pool, "each_end", each_end)
    return {name: Source() for name in ("w-1", "pods@w-1", "cp-1")}


def _pool(sources: Mapping[str, Any]) -> AgentPool:
    pool = AgentPool(None, {name: End(name, frozenset()) for name in sources}, 60)  # type: ignore[arg-type]  # not asked
    pool.agents = {name: Agents(source=source) for name, source in sources.items()}
    return pool


def _probes(source: str, ports: int) -> Pair:
    return replace(pair("cp-1", "w-1"), source=source, probed={"tcp": bits.from_intervals([(1, ports)])})


def test_a_part_that_is_sent_again_is_sent_as_fast_as_all_of_it(sources: dict[str, Source]) -> None:
    pool = _pool(sources)
    pool.arm([_probes("w-1", 600), _probes("pods@w-1", 400), _probes("cp-1", 5)], {})
    pool.fire(None, RATE, lambda _sent: None)
    few = {("192.0.2.1", "tcp"): bits.from_ports([1, 2])}
    pool.fire({"w-1": few, "pods@w-1": few}, RATE, lambda _sent: None)
    assert {name: source.rates for name, source in sources.items()} == {
        "w-1": [600, 500],
        "pods@w-1": [400, 500],
        "cp-1": [RATE],
    }


def test_what_was_armed_before_has_no_share_any_more(sources: dict[str, Source]) -> None:
    pool = _pool(sources)
    pool.arm([_probes("w-1", 60_000), _probes("pods@w-1", 2)], {})
    pool.arm([_probes("pods@w-1", 2)], {})
    pool.fire(None, RATE, lambda _sent: None)
    assert sources["pods@w-1"].rates == [RATE]
    assert sources["w-1"].rates == []
