"""An address of the API that moves while it is probed is followed; of one that cannot be found nothing is proven."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

import pytest

from flows._ports import endpoint
from flows._ports.choice import DealtPairs, ProbeOptions, choose
from flows._ports.cluster import ClusterView
from flows._ports.moving import ProbedFleet, followed
from flows._ports.observation import ObservedHosts
from flows._ports.probe_run import ProbeRun
from model.host.hostview import HostView
from model.report.outcome import Status, warns
from model.report.words import Plane
from model.verify.astray import astray
from model.verify.evidence import join
from model.verify.host_rulings import HostRulings
from model.verify.loss import Loss
from model.verify.pairs import Pair
from model.verify.probing import AgentRecords
from model.verify.sendings import PacketPath
from tests.flows.ports.test_cluster_view import HAPROXY, VIP
from tests.model.verify.simulation import Fleet, reference

SITE = reference()
ADDRESS = ip_address(VIP)
CHOSEN = choose(SITE, ProbeOptions(planes=(Plane.HOST,)), None)
NOBODY: Any = None


def held_by(*names: str, among: Collection[str] = ("cp-1", "cp-2")) -> ObservedHosts:
    """The control planes that are looked at serve the API; these hold its address."""
    views = {
        name: HostView(chains={}, interfaces={VIP: "eth0"} if name in names else {}, listeners=(HAPROXY,))
        for name in among
    }
    return ObservedHosts(views=views, agentless=(), rules=None, failures={})


def run_of(pairs: Sequence[Pair], holder: str, witnesses: Collection[str] = ("cp-1", "cp-2")) -> ProbeRun:
    """What is probed at the API's address came to this host (empty: to none), and all else where it should."""
    at = [replace(pair, destination=holder) if pair.address == ADDRESS and holder else pair for pair in pairs]
    records = Fleet(SITE, blind=frozenset({"cp-1", "cp-2"} - {*witnesses})).records(at)
    if not holder:
        seen = {
            name: replace(record, seen=tuple(row for row in record.seen if row.address != VIP))
            for name, record in records.seen.items()
        }
        records = AgentRecords(records.sent, seen)
    evidence = join(SITE, pairs, records)
    return ProbeRun(evidence=evidence, records=records, agents={}, ssh_answers={}, fired=len(pairs), lost=0)


@dataclass
class Course:
    """Where the address was when somebody looked, and when it was probed, after the first run; what was said."""

    looks: list[tuple[str, ...]]
    probed: list[str]
    said: list[str] = field(default_factory=list)
    fired: list[set[tuple[str, str]]] = field(default_factory=list)

    def look(self, _nr: object, observed: ObservedHosts, _names: object) -> ObservedHosts:
        return held_by(*self.looks.pop(0), among=observed.views)

    def probe(self, dealt: DealtPairs, _observed: ObservedHosts, _cluster: ClusterView) -> ProbeRun:
        self.fired.append({(str(pair.address), pair.destination) for pair in dealt.fired})
        return run_of(dealt.pairs, self.probed.pop(0))


Follow = Callable[..., tuple[ProbedFleet, Course]]


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Follow:
    """Follow the address from a first run, dealt out when cp-1 held it, that met it at `first`."""

    def begin(
        first: str,
        looks: Sequence[tuple[str, ...]] = (),
        probed: Sequence[str] = (),
        among: Collection[str] = ("cp-1", "cp-2"),
    ) -> tuple[ProbedFleet, Course]:
        course = Course([*looks], [*probed])
        monkeypatch.setattr(endpoint, "observe_again", course.look)
        monkeypatch.setattr("flows._ports.endpoint.time.sleep", lambda _seconds: None)
        observed = held_by("cp-1", among=among)
        cluster = ClusterView(holders={ADDRESS: "cp-1"})
        rulings = HostRulings(SITE, observed.views)
        dealt = CHOSEN.deal(cluster, rulings)
        fleet = ProbedFleet(
            observed=observed, cluster=cluster, rulings=rulings, dealt=dealt, probe_run=run_of(dealt.pairs, first)
        )
        return followed(NOBODY, CHOSEN, fleet, course.probe, course.said.append), course

    return begin


def at_the_address(fleet: ProbedFleet) -> set[str]:
    return {pair.destination for pair in fleet.dealt.pairs if pair.address == ADDRESS}


def lost(fleet: ProbedFleet) -> frozenset[Any]:
    return astray(fleet.dealt.pairs, fleet.probe_run.evidence)


def test_what_came_where_it_should_is_not_asked_again(follow: Follow) -> None:
    fleet, course = follow("cp-1")
    assert (fleet.cluster.outcomes, course.fired, course.said) == ((), [], [])


def test_an_address_that_moved_is_probed_where_it_has_gone_and_only_that(follow: Follow) -> None:
    before, _ = follow("cp-1")
    fleet, course = follow("cp-2", looks=[("cp-2",)], probed=["cp-2"])
    assert course.fired == [{(VIP, "cp-2")}]
    assert (at_the_address(fleet), lost(fleet)) == ({"cp-2"}, frozenset())
    sources = {pair.source for pair in fleet.dealt.pairs if pair.address == ADDRESS}
    assert "cp-1" in sources
    assert "cp-2" not in sources
    others = [pair for pair in fleet.dealt.pairs if pair.address != ADDRESS]
    assert others == [pair for pair in before.dealt.pairs if pair.address != ADDRESS]
    assert all(
        key in fleet.probe_run.evidence.streams for pair in others for key in [(pair.source, str(pair.address), "tcp")]
    )
    (told,) = fleet.cluster.outcomes
    assert warns(told.status, told.evidence)
    assert f"{VIP} moved from cp-1 to cp-2 while it was probed" in told.message
    assert course.said == [f"what leads to {VIP} is probed again, at cp-2"]


def test_what_goes_astray_while_the_address_stays_is_probed_once_more_and_then_believed(follow: Follow) -> None:
    fleet, course = follow("cp-2", looks=[("cp-1",), ("cp-1",)], probed=["cp-2"])
    assert course.fired == [{(VIP, "cp-1")}]
    assert (at_the_address(fleet), lost(fleet)) == ({"cp-1"}, frozenset({ADDRESS}))
    assert fleet.cluster.outcomes == ()


def test_an_address_that_was_away_for_a_moment_is_fine(follow: Follow) -> None:
    fleet, _ = follow("", looks=[("cp-1",)], probed=["cp-1"])
    assert (at_the_address(fleet), lost(fleet), fleet.cluster.outcomes) == ({"cp-1"}, frozenset(), ())


def test_an_address_on_its_way_is_waited_for(follow: Follow) -> None:
    fleet, course = follow("", looks=[(), ("cp-1", "cp-2"), ("cp-2",)], probed=["cp-2"])
    assert (at_the_address(fleet), course.looks) == ({"cp-2"}, [])
    assert [outcome.status for outcome in fleet.cluster.outcomes] == [Status.OK]


def test_an_address_that_never_stays_is_unproven_and_no_cell_speaks_of_it(follow: Follow) -> None:
    fleet, course = follow("cp-2", looks=[("cp-2",), ("cp-1",)] * 2, probed=["cp-1", "cp-2", "cp-1"])
    assert (at_the_address(fleet), course.looks, course.probed) == (set(), [], [])
    (told,) = fleet.cluster.outcomes
    assert told.status is Status.UNPROVEN
    assert (
        "moved from cp-1 to cp-2 to cp-1 to cp-2 to cp-1 while it was probed: nothing is proven of it" in told.message
    )


def test_an_address_that_went_to_a_host_nobody_looks_at_is_unproven(follow: Follow) -> None:
    fleet, course = follow("", looks=[()], among=["cp-1"])
    assert (at_the_address(fleet), course.fired) == (set(), [])
    assert Status.UNPROVEN in [outcome.status for outcome in fleet.cluster.outcomes]


def test_what_both_runs_lost_counts_together(follow: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = PacketPath("w-1", "cp-1", 4), PacketPath("w-1", "cp-2", 4)
    runs = iter([{here: Loss(100, 1)}, {here: Loss(10, 9), there: Loss(20, 2)}])
    whole = run_of
    monkeypatch.setitem(globals(), "run_of", lambda *way: replace(whole(*way), losses=next(runs)))
    fleet, _ = follow("cp-2", looks=[("cp-2",)], probed=["cp-2"])
    assert fleet.probe_run.losses == {here: Loss(110, 10), there: Loss(20, 2)}


def test_an_agent_that_dies_while_the_address_is_probed_again_has_left_no_record(
    follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Course, "probe", lambda _self, dealt, *_: run_of(dealt.pairs, "cp-2", witnesses=["cp-1"]))
    fleet, _ = follow("cp-2", looks=[("cp-2",)] * 2)
    assert "cp-2" not in fleet.probe_run.records.seen
    assert "cp-1" in fleet.probe_run.records.seen


def test_at_the_start_an_address_on_its_way_is_waited_for_and_one_that_stays_away_is_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flows._ports.endpoint.time.sleep", lambda _seconds: None)
    course = Course([(), ("cp-2",)], [])
    monkeypatch.setattr(endpoint, "observe_again", course.look)
    settled = endpoint.once_settled(NOBODY, SITE, held_by())
    assert endpoint.holders_of(SITE, settled.views) == ({ADDRESS: "cp-2"}, ())
    course.looks = [()] * 99
    assert endpoint.holders_of(SITE, endpoint.once_settled(NOBODY, SITE, held_by()).views)[1]
    assert len(course.looks) == 99 - endpoint._LOOKS
