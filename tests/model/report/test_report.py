"""When a report is good, which exit code it has, and what it writes of itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from model.report.outcome import Outcome, Status
from model.report.report import Cell, CellEvidence, Report, silent
from model.report.words import CellVerdict, Plane, PortState

MOMENT = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)


def report(*statuses: str, verdicts: tuple[str, ...] | None = None, **more: Any) -> Report:
    outcomes = tuple(Outcome("w-1", "ports", Status(status)) for status in statuses)
    cells = None if verdicts is None else tuple(cell(verdict) for verdict in verdicts)
    return Report(
        flow="verify_ports",
        site="reference",
        run="run",
        started=MOMENT,
        ended=MOMENT,
        hosts=("w-1",),
        outcomes=outcomes,
        cells=cells,
        **more,
    )


def cell(verdict: str = "ok", **more: Any) -> Cell:
    return Cell(
        source="a",
        destination="b",
        address="10.0.0.2",
        protocol="tcp",
        port_lo=1,
        port_hi=79,
        plane=Plane.HOST,
        expected=PortState.CLOSED,
        seen=PortState.CLOSED,
        verdict=CellVerdict(verdict),
        **more,
    )


@pytest.mark.parametrize(
    ("statuses", "verdicts", "code", "good"),
    [
        (("ok",), None, 0, True),
        (("changed",), ("ok",), 0, True),
        (("ok", "waived", "not_run"), ("ok", "waived", "not_run"), 0, True),
        (("waived",), None, 0, False),
        (("not_run",), ("not_run",), 0, False),
        ((), ("ok",), 3, False),
        ((), None, 3, False),
        (("ok", "drift", "failed"), None, 2, False),
        (("ok", "missing"), None, 3, False),
        (("ok",), ("ok", "unproven"), 3, False),
        (("ok",), ("unproven", "violation"), 2, False),
        (("failed",), ("violation",), 2, False),
    ],
)
def test_the_worst_of_outcomes_and_cells_decides(
    statuses: tuple[str, ...], verdicts: tuple[str, ...] | None, code: int, good: bool
) -> None:
    document = report(*statuses, verdicts=verdicts)
    assert (document.exit, document.good) == (code, good)


def test_an_empty_report_is_never_good_and_a_refusal_stays_one() -> None:
    assert (report().exit, report().good) == (3, False)
    assert report(forced=1).exit == 1
    assert report("drift", "failed", forced=1).exit == 1
    assert report("ok", forced=130).exit == 130
    assert not report("ok", forced=1).good


def test_a_report_counts_what_it_holds() -> None:
    document = report("ok", "ok", "drift", verdicts=("ok", "violation", "ok"))
    assert document.count() == {"ok": 2, "drift": 1}
    assert document.verdicts() == {"ok": 2, "violation": 1}
    assert report("ok").verdicts() == {}


def test_cells_are_written_only_by_a_verification() -> None:
    assert not {"cells", "probes", "loss"} & set(report("ok").to_json())
    written = report("ok", verdicts=("ok",), probes=5, loss=1).to_json()
    assert (written["probes"], written["loss"], len(written["cells"])) == (5, 1, 1)  # type: ignore[arg-type]


def test_a_cell_writes_nulls_for_what_nobody_observed() -> None:
    written = cell(evidence=CellEvidence(sent=4, reply="none"), rows=("https",), probed=4).to_json()
    assert written["evidence"] == {"S": 4, "A": None, "P": None, "R": "none"}
    assert (written["from"], written["to"], written["rows"]) == ("a", "b", ["https"])
    assert cell().to_json()["evidence"] is None
    assert not {"note", "answered"} & set(cell().to_json())
    assert cell(note="x", answered="w-1").to_json().keys() >= {"note", "answered"}


def test_a_flows_own_keys_stand_beside_the_reports() -> None:
    assert report("ok", extra={"perimeter": [1]}).to_json()["perimeter"] == [1]


def test_a_host_nobody_speaks_of_is_named() -> None:
    outcomes = [Outcome("w-1", "ports", Status.FAILED)]
    assert silent(["w-1", "w-2", "w-3"], outcomes) == ["w-2", "w-3"]
    assert silent([], outcomes) == []
