"""A waiver covers what it names until its day is over, and stays visible."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from model.report.outcome import Outcome, Status
from model.report.report import Cell
from model.report.waivers import expired, waive_cells, waive_outcomes
from model.report.words import CellVerdict, Culprit, Plane, PortState
from model.site.settings import Waiver

TODAY = date(2026, 11, 23)


def waiver(identity: str, host: str = "*", days: int = 0) -> Waiver:
    return Waiver(id=identity, host=host, reason="moves", owner="dba", expires=TODAY + timedelta(days=days))


def cell(verdict: str = "violation", low: int = 5432, high: int = 5432) -> Cell:
    return Cell(
        source="w-1",
        destination="db-1",
        address="10.20.1.31",
        protocol="tcp",
        port_lo=low,
        port_hi=high,
        plane=Plane.HOST,
        expected=PortState.OPEN,
        seen=PortState.CLOSED,
        verdict=CellVerdict(verdict),
        culprit=Culprit.PATH,
        rows=("postgresql",),
    )


@pytest.mark.parametrize("status", [Status.DRIFT, Status.UNPROVEN])
def test_a_finding_that_is_named_is_waived_and_says_by_whom(status: Status) -> None:
    [outcome] = waive_outcomes([Outcome("st-4", "ports", status, "bad")], [waiver("ports", "st-*")], TODAY)
    assert outcome.status is Status.WAIVED
    assert "bad" in outcome.message
    assert "dba" in outcome.message


@pytest.mark.parametrize("other", [waiver("ports", "st-4"), waiver("ruleset", "db-1"), waiver("ports", "db-1", -1)])
def test_another_host_another_subject_and_a_past_day_waive_nothing(other: Waiver) -> None:
    outcome = Outcome("db-1", "ports", Status.DRIFT)
    assert waive_outcomes([outcome], [other], TODAY) == (outcome,)


@pytest.mark.parametrize("status", [Status.OK, Status.FAILED, Status.MISSING])
def test_what_is_good_or_could_not_be_looked_at_stays_what_it_is(status: Status) -> None:
    outcome = Outcome("db-1", "ports", status)
    assert waive_outcomes([outcome], [waiver("ports")], TODAY) == (outcome,)


@pytest.mark.parametrize("identity", ["port", "path", "postgresql"])
def test_a_cell_is_waived_by_port_culprit_or_row(identity: str) -> None:
    [waived] = waive_cells([cell()], [waiver(identity, "w-1->db-1:5432/tcp")], TODAY)
    assert (waived.verdict, waived.culprit) == ("waived", "path")
    assert "dba" in waived.note


@pytest.mark.parametrize(
    "other",
    [
        waiver("port", "w-2->db-1:5432/tcp"),
        waiver("port", "w-1->db-1:5432/udp"),
        waiver("nat", "w-1->db-1:5432/tcp"),
        waiver("port", "w-1->db-1:5432/tcp", -1),
        waiver("port", "db-1"),
    ],
)
def test_another_flow_waives_no_cell(other: Waiver) -> None:
    assert waive_cells([cell()], [other], TODAY) == (cell(),)


def test_an_interval_is_named_whole() -> None:
    wide = cell(low=30000, high=32767)
    assert waive_cells([wide], [waiver("port", "*->db-1:30000/tcp")], TODAY) == (wide,)
    assert waive_cells([wide], [waiver("port", "*->db-1:30000-32767/tcp")], TODAY)[0].verdict == "waived"


def test_a_good_cell_stays_good() -> None:
    assert waive_cells([cell("ok")], [waiver("port", "*->*:*")], TODAY) == (cell("ok"),)


def test_a_waiver_is_drift_from_the_day_after_its_last() -> None:
    assert list(expired([waiver("ports")], TODAY)) == []
    [outcome] = expired([waiver("ports", "st-4", -1)], TODAY)
    assert (outcome.status, outcome.host) == (Status.DRIFT, "controller")
    assert "st-4" in outcome.message
