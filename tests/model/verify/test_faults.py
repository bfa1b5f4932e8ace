"""Each fault shows in exactly the cells it concerns, with its culprit, and in no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

import pytest

from model import bits
from model.report.report import Cell
from model.verify.pairs import Pair
from model.verify.verification import Verification
from tests.model.verify.simulation import Fleet, reference


def broken(cells: Iterable[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell.verdict != "ok"]


def holds(cell: Cell, port: int, protocol: str = "tcp") -> bool:
    return cell.protocol == protocol and cell.port_lo <= port <= cell.port_hi


def story(cells: Iterable[Cell]) -> set[tuple[str, str, str]]:
    return {(cell.expected, cell.verdict, cell.culprit) for cell in cells}


@cache
def healthy_trial() -> Verification:
    return Fleet(reference()).verification()


def healthy() -> tuple[Cell, ...]:
    return healthy_trial().cells


def open_cells(port: int, where: Callable[[Cell], bool], protocol: str = "tcp") -> set[tuple[str, str, str]]:
    """The ends and address of the open cells of a healthy run that hold the port."""
    cells = {
        ends(cell) for cell in healthy() if cell.expected == "open" and holds(cell, port, protocol) and where(cell)
    }
    assert cells, "the fault would concern nothing"
    return cells


def ends(cell: Cell) -> tuple[str, str, str]:
    return cell.source, cell.destination, cell.address


def test_a_fleet_that_follows_the_matrix_is_all_ok_and_no_ruleset_disagrees() -> None:
    assert {cell.verdict for cell in healthy()} == {"ok"}
    assert {cell.expected for cell in healthy()} == {"open", "closed"}
    assert {cell.plane for cell in healthy()} == {"host", "external"}
    assert healthy_trial().disagreements == ()


def test_the_cells_of_every_pair_cover_every_port_exactly_once() -> None:
    covered: dict[tuple[str, str, str, str], list[tuple[int, int]]] = {}
    for cell in healthy():
        if cell.protocol != "vrrp":
            covered.setdefault((*ends(cell), cell.protocol), []).append((cell.port_lo, cell.port_hi))
    assert len(covered) == 2 * len(healthy_trial().pairs)
    for intervals in covered.values():
        assert [low for low, _ in intervals] == [1, *(high + 1 for _, high in intervals[:-1])]
        assert intervals[-1][1] == 65535


@pytest.mark.parametrize("target", ["DROP", "REJECT --reject-with tcp-reset"])
@pytest.mark.parametrize("source", ["", "w-1"])
def test_a_rule_against_an_open_port_shows_at_the_destinations_firewall(target: str, source: str) -> None:
    addresses = [str(address) for address in reference().by_name[source].own] if source else [""]
    rules = tuple(f"{f'-s {fault} ' if fault else ''}-p tcp -m tcp --dport 5432 -j {target}" for fault in addresses)
    rejecting = frozenset({"db-1"}) if "REJECT" in target else frozenset()
    bad = broken(Fleet(reference(), first_in={"db-1": rules}, rejecting=rejecting).verification().cells)
    wanted = open_cells(5432, lambda cell: cell.destination == "db-1" and source in ("", cell.source))
    assert {ends(cell) for cell in bad} == wanted
    assert story(bad) == {("open", "violation", "destination-firewall")}
    assert {(cell.port_lo, cell.port_hi) for cell in bad} == {(5432, 5432)}


def test_a_gap_between_the_probed_ports_of_an_open_range_is_found_by_the_rules() -> None:
    bad = broken(Fleet(reference(), first_in={"w-1": ("-p tcp -m tcp --dport 30500 -j DROP",)}).verification().cells)
    assert {ends(cell) for cell in bad} == open_cells(30500, lambda cell: cell.destination == "w-1")
    assert story(bad) == {("open", "violation", "destination-firewall")}
    assert {(cell.port_lo, cell.port_hi, cell.probed, cell.evidence) for cell in bad} == {(30500, 30500, 0, None)}


@pytest.mark.parametrize("port", [5432, 30500])
def test_a_rule_against_leaving_shows_at_the_source(port: int) -> None:
    rule = f"-p tcp -m tcp --dport {port} -j DROP"
    bad = broken(Fleet(reference(), first_out={"w-1": (rule,)}).verification().cells)
    assert {ends(cell) for cell in bad} == open_cells(port, lambda cell: cell.source == "w-1")
    assert story(bad) == {("open", "violation", "source-egress")}
    assert {(cell.port_lo, cell.port_hi) for cell in bad} == {(port, port)}


@pytest.mark.parametrize(
    ("host", "port", "protocol"),
    [("li-1", 10250, "tcp"), ("w-1", 443, "tcp"), ("db-1", 8472, "udp"), ("cp-1", 6443, "tcp")],
)
def test_a_router_that_drops_shows_as_the_path(host: str, port: int, protocol: str) -> None:
    def drops(pair: Pair, spoken: str) -> int:
        return 1 << port if pair.destination == host and spoken == protocol else 0

    borders = {(pair.source, pair.destination, str(pair.address)) for pair in healthy_trial().pairs if pair.border}
    bad = broken(Fleet(reference(), routed_off=drops).verification().cells)
    assert {ends(cell) for cell in bad} == open_cells(
        port, lambda cell: cell.destination == host and ends(cell) in borders, protocol
    )
    assert story(bad) == {("open", "violation", "path")}
    assert {(cell.protocol, cell.port_lo, cell.port_hi) for cell in bad} == {(protocol, port, port)}


PROBED, UNPROBED = 5433, 12345


@pytest.mark.parametrize("port", [PROBED, UNPROBED])
@pytest.mark.parametrize("source", ["", "st-2"])
def test_a_rule_too_many_shows_at_the_destinations_firewall_probed_or_not(port: int, source: str) -> None:
    assert all(
        (pair.probed["tcp"] >> PROBED & 1, pair.probed["tcp"] >> UNPROBED & 1) == (1, 0)
        for pair in healthy_trial().pairs
    )
    addresses = [str(address) for address in reference().by_name[source].own] if source else [""]
    rules = tuple(f"{f'-s {fault} ' if fault else ''}-p tcp -m tcp --dport {port} -j ACCEPT" for fault in addresses)
    verification = Fleet(reference(), first_in={"db-1": rules}).verification()
    bad = broken(verification.cells)
    wanted = {
        ends(cell)
        for cell in healthy()
        if cell.destination == "db-1" and source in ("", cell.source) and holds(cell, port)
    }
    assert {ends(cell) for cell in bad} == wanted
    assert story(bad) == {("closed", "violation", "destination-firewall")}
    assert {(cell.port_lo, cell.port_hi) for cell in bad} == {(port, port)}
    if port == UNPROBED:
        assert {(cell.probed, cell.evidence) for cell in bad} == {(0, None)}
    assert [outcome.host for outcome in verification.disagreements] == ["db-1"]


def test_two_unprobed_holes_leave_the_ports_between_them_in_a_good_cell() -> None:
    rules = tuple(f"-p tcp -m tcp --dport {port} -j ACCEPT" for port in (12345, 12400))
    cells = Fleet(reference(), first_in={"db-1": rules}).verification().cells
    between = [cell for cell in cells if cell.destination == "db-1" and holds(cell, 12370)]
    assert between
    assert {(cell.verdict, cell.expected) for cell in between} == {("ok", "closed")}


def test_a_dead_witness_leaves_the_cells_to_its_host_unproven_and_no_other() -> None:
    cells = Fleet(reference(), blind=frozenset({"db-1"})).verification().cells
    bad = broken(cells)
    assert {cell.destination for cell in bad} == {"db-1"}
    assert {(cell.verdict, cell.culprit, cell.seen) for cell in bad} == {("unproven", "witness", "unknown")}
    assert not [cell for cell in cells if cell.destination == "db-1" and cell.verdict == "ok"]


def test_a_host_without_power_leaves_the_cells_to_it_and_from_it_unproven() -> None:
    cells = Fleet(reference(), dead=frozenset({"db-1"})).verification().cells
    bad = broken(cells)
    assert {cell.culprit for cell in bad if cell.destination == "db-1"} == {"witness"}
    assert {cell.culprit for cell in bad if cell.source == "db-1"} == {"source"}
    assert {cell.verdict for cell in bad} == {"unproven"}
    concerned = {ends(cell) for cell in cells if "db-1" in (cell.source, cell.destination)}
    assert {ends(cell) for cell in bad} == concerned


def test_what_crosses_a_border_undeclared_is_a_violation_of_the_path_even_if_the_host_drops_it() -> None:
    def lets(pair: Pair, protocol: str) -> int:
        return 1 << PROBED if (pair.source, pair.destination) == ("w-1", "li-1") and protocol == "tcp" else 0

    bad = broken(Fleet(reference(), routed_on=lets).verification().cells)
    assert {(cell.source, cell.destination, cell.port_lo, cell.port_hi) for cell in bad} == {
        ("w-1", "li-1", PROBED, PROBED)
    }
    assert story(bad) == {("closed", "violation", "path")}


def test_a_router_that_hides_the_sender_shows_as_nat() -> None:
    bad = broken(Fleet(reference(), masked=frozenset({"li-1"})).verification(planes=("host",)).cells)
    assert story(bad) == {("open", "violation", "nat")}
    assert {cell.destination for cell in bad} == {"li-1"}
    assert all("10.20.1.1" in cell.note or "fd20:1::1" in cell.note for cell in bad)


def test_a_sweep_of_a_healthy_fleet_is_all_ok_with_every_port_of_every_address_probed_once() -> None:
    verification = Fleet(reference()).verification("sweep")
    assert {cell.verdict for cell in verification.cells} == {"ok"}
    totals: dict[str, int] = {}
    for pair in verification.pairs:
        totals[str(pair.address)] = totals.get(str(pair.address), 0) + bits.count(pair.probed["tcp"])
    assert set(totals.values()) == {65535}
