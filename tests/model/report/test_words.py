"""The closed words of a cell are those that the report's schema allows, no more and no fewer."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path

import pytest

from model.report.report import EXIT_BY_VERDICT, Cell
from model.report.words import CellVerdict, Culprit, Plane, PortState, Stage

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "report.schema.json").read_text("utf-8"))
PROPERTIES = SCHEMA["$defs"]["cell"]["properties"]


@pytest.mark.parametrize(("key", "words"), [("seen", PortState), ("verdict", CellVerdict), ("culprit", Culprit)])
def test_words_are_the_schemas(key: str, words: type[StrEnum]) -> None:
    assert [word.value for word in words] == PROPERTIES[key]["enum"]


def test_what_is_expected_is_known() -> None:
    assert {PortState.OPEN, PortState.CLOSED} == set(PROPERTIES["expected"]["enum"])


def test_every_verdict_has_an_exit_code() -> None:
    assert set(EXIT_BY_VERDICT) == set(CellVerdict)


def test_a_cell_is_written_in_plain_words() -> None:
    cell = Cell(
        source="a",
        destination="b",
        address="10.0.0.2",
        protocol="tcp",
        port_lo=1,
        port_hi=2,
        plane=Plane.HOST,
        expected=PortState.OPEN,
        seen=PortState.CLOSED,
        verdict=CellVerdict.VIOLATION,
        culprit=Culprit.DESTINATION_FIREWALL,
    )
    written = json.loads(json.dumps(cell.to_json()))
    words_used = {key: written[key] for key in ("plane", "expected", "seen", "verdict", "culprit")}
    assert list(words_used.values()) == ["host", "open", "closed", "violation", "destination-firewall"]
    assert json.dumps({"stage": Stage.AUTO}) == '{"stage": "auto"}'
    assert f"{cell.verdict}: {cell.culprit}" == "violation: destination-firewall"
