"""Loss is never a violation, and never hides one: whole runs over networks on paper that lose packets."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from flows._ports.rounds import ROUNDS
from model.report.report import Cell
from model.verify.loss import MOST_SENDS
from model.verify.pairs import Pair
from tests.flows.ports.lossy import LossyPool, LossyRun, verify
from tests.model.verify.simulation import Fleet, reference

Loses = Callable[[str, str], float]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses that would have been made."""
    made: list[float] = []
    monkeypatch.setattr("flows._ports.rounds.time.sleep", made.append)
    return made


def around(host: str, share: float) -> Loses:
    """Packets from and to one host are lost."""
    return lambda source, destination: share if host in (source, destination) else 0.0


def everywhere(share: float) -> Loses:
    return lambda _source, _destination: share


HOSTS = frozenset({"cp-1", "w-1", "db-1", "li-1", "vantage-1"})


@cache
def chosen() -> tuple[Pair, ...]:
    """The pairs of some hosts: of one network, across borders, and through the perimeter."""
    return tuple(pair for pair in Fleet(reference()).chosen() if {pair.source, pair.destination} <= HOSTS)


def run(loses: Loses, seed: int = 1, fleet: Fleet | None = None, late: float = 0.0) -> LossyRun:
    return verify(LossyPool(fleet or Fleet(reference()), chosen(), loses, seed, late=late))


def wrong(run: LossyRun) -> list[Cell]:
    return [cell for cell in run.cells if cell.verdict != "ok"]


def test_where_nothing_is_lost_nothing_is_sent_more_often_than_before(pauses: list[float]) -> None:
    clean = run(everywhere(0.0))
    assert (wrong(clean), pauses) == ([], [])
    assert (clean.record.rounds, clean.record.recovered, clean.sendings.losses) == (2, 0, {})
    probes = sum(pair.probed[protocol].bit_count() for pair in chosen() for protocol in ("tcp", "udp"))
    stopped = sum(
        (pair.probed[protocol] & ~pair.open(protocol)).bit_count()
        for pair in chosen()
        if pair.border
        for protocol in ("tcp", "udp")
    )
    assert clean.record.packets == probes + stopped, "what borders stop is sent twice, all else once"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
@pytest.mark.parametrize("where", [everywhere, lambda share: around("w-1", share)], ids=["everywhere", "one host"])
def test_every_cell_is_proven_in_spite_of_loss(where: Callable[[float], Loses], share: float, seed: int) -> None:
    assert wrong(run(where(share), seed)) == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.3, 0.4])
def test_of_great_loss_nearly_all_is_proven_and_the_rest_names_it(share: float, seed: int) -> None:
    lossy = run(everywhere(share), seed)
    assert {cell.verdict for cell in wrong(lossy)} <= {"unproven"}
    assert all("packets lost" in cell.note for cell in wrong(lossy))
    assert len(wrong(lossy)) <= len(lossy.cells) // 20
    assert lossy.record.rounds <= MOST_SENDS


@pytest.mark.parametrize("seed", range(2))
def test_what_is_more_than_half_lost_is_unproven_and_never_a_violation(seed: int) -> None:
    hopeless = run(around("w-1", 0.8), seed)
    assert {cell.verdict for cell in hopeless.cells} == {"ok", "unproven"}
    assert any("w-1" in (cell.source, cell.destination) for cell in wrong(hopeless))
    assert all("packets lost" in cell.note for cell in wrong(hopeless))


def drops(host: str, port: int, protocol: str) -> Callable[[Pair, str], int]:
    return lambda pair, spoken: 1 << port if (pair.destination, protocol) == (host, spoken) else 0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_a_firewalls_drop_is_found_beside_loss(share: float, seed: int) -> None:
    fleet = Fleet(reference(), first_in={"db-1": ("-p tcp -m tcp --dport 5432 -j DROP",)})
    found = [cell for cell in run(everywhere(share), seed, fleet).cells if cell.verdict == "violation"]
    healthy = [cell for cell in run(everywhere(0.0)).cells if (cell.destination, cell.port_lo) == ("db-1", 5432)]
    assert len(found) == len([cell for cell in healthy if cell.expected == "open"]) > 0
    assert {(cell.destination, cell.port_lo, cell.culprit) for cell in found} == {
        ("db-1", 5432, "destination-firewall")
    }


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.0, 0.1, 0.2])
def test_a_routers_drop_is_found_beside_loss_and_nothing_else_is(share: float, seed: int) -> None:
    fleet = Fleet(reference(), routed_off=drops("li-1", 10250, "tcp"))
    bad = wrong(run(everywhere(share), seed, fleet))
    assert {(cell.destination, cell.port_lo, cell.verdict, cell.culprit) for cell in bad} == {
        ("li-1", 10250, "violation", "path")
    }


def test_what_a_border_lets_through_is_found_beside_loss() -> None:
    fleet = Fleet(reference(), routed_on=drops("li-1", 5433, "tcp"))
    bad = wrong(run(everywhere(0.3), 1, fleet))
    assert {(cell.destination, cell.port_lo) for cell in bad if cell.verdict == "violation"} == {("li-1", 5433)}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("late", [0.1, 0.5, 1.0])
def test_what_arrives_late_is_no_violation(late: float, seed: int) -> None:
    delayed = run(everywhere(0.0), seed, late=late)
    assert {cell.verdict for cell in wrong(delayed)} <= {"unproven"}
    assert late > 0.1 or wrong(delayed) == []


def test_a_lost_path_is_found_though_nothing_of_it_shows_how_much_it_loses() -> None:
    fleet = Fleet(reference(), routed_off=lambda pair, _: (1 << 65536) - 1 if pair.destination == "li-1" else 0)
    bad = run(everywhere(0.0), 1, fleet)
    assert {(cell.verdict, cell.culprit) for cell in wrong(bad)} <= {("violation", "path"), ("unproven", "witness")}
    assert ROUNDS < bad.record.rounds <= MOST_SENDS
