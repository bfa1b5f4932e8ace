"""The matrix holds every line of the required port tables, and nothing that is neither there nor explained."""

from __future__ import annotations

import re

import pytest

from model.site.rows import Row
from tests.data.checklist_ports import FACTS, LEFT_OUT, MEANT, MEANT_AT, Fact
from tests.mutation import loaded

ROWS = loaded().rows
NODE_ROLES = frozenset({"control_plane", "worker", "database", "storage", "call", "monitoring"})
TABLES = {"3.1", "3.2", "3.3", "3.4", "3.5"}
SECTION = re.compile(r"^(3\.[1-5]( (control plane|worker|database|storage|call|LI|monitoring))?|3\.6|4|6|added)$")


def _sections(row: Row) -> set[str]:
    return {part.strip()[:3] for part in row.source.split(",")}


def _ends(ends: tuple[str, ...]) -> set[str]:
    return {*ends, *(NODE_ROLES if "nodes" in ends else ())}


def _carries(row: Row, fact: Fact) -> bool:
    return (fact.low, fact.high) in row.intervals and row.protocol == fact.protocol and fact.section in _sections(row)


def _joins(row: Row, fact: Fact) -> bool:
    """Return whether the row is between the ends the fact names, on the plane of the fact's table."""
    if fact.section == "3.1":
        return row.plane == "external" and row.target == fact.destination and fact.source in row.source_ends
    if fact.section == "3.3":
        source = MEANT.get((fact.source, fact.low), fact.source)
        destination = MEANT_AT.get((fact.destination, fact.low), fact.destination)
        return row.plane == "pod" and source in (*row.pod_from, *row.source_ends) and destination in row.pod_to
    if fact.section == "3.4":
        return fact.destination in _ends(row.destination_ends)
    return fact.source in _ends(row.source_ends) and fact.destination in _ends(row.destination_ends)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: "-".join(map(str, fact)))
def test_line_of_the_tables_is_a_row(fact: Fact) -> None:
    rows = [row.name for row in ROWS if _carries(row, fact) and _joins(row, fact)]
    assert bool(rows) != (fact in LEFT_OUT), rows


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row_is_in_the_tables_or_says_why_it_is_not(row: Row) -> None:
    parts = [part.strip() for part in row.source.split(",")]
    assert all(SECTION.match(part) for part in parts), row.source
    if not _sections(row) & TABLES:
        assert len(row.why) > 5, "a row that no table has needs its reason"
    for section in _sections(row) & TABLES:
        known = [fact for fact in FACTS if fact.section == section and _stands_in(row, fact)]
        assert {(fact.low, fact.high) for fact in known} >= set(row.intervals), f"{section} has no such line"


def _stands_in(row: Row, fact: Fact) -> bool:
    """Return whether the table's line speaks of the row's ends: `nodes` there are all nodes, LI's too."""
    if fact.protocol != row.protocol:
        return False
    if fact.section == "3.3" and row.plane != "pod":
        return True
    nodes = NODE_ROLES | {"nodes", "li"}
    ends = ((fact.source, row.source_ends), (fact.destination, row.destination_ends))
    return _joins(row, fact) or all((end == "nodes" and nodes & set(given)) or end in given for end, given in ends)


def test_left_out_lines_are_lines_of_the_tables() -> None:
    assert set(LEFT_OUT) <= set(FACTS)


def test_a_row_taken_away_is_noticed() -> None:
    fact = Fact("3.4", 5432, 5432, "tcp", "", "database")
    assert [row.name for row in ROWS if _carries(row, fact) and _joins(row, fact)] == ["postgresql"]


def test_tables_have_as_many_lines_as_the_requirements() -> None:
    # 8 in 3.1, 12 in 3.2; 20 in 3.3, three of them with two sources; 3 destinations a source of 443 and 80 in 3.5.
    counts = {section: sum(fact.section == section for fact in FACTS) for section in ("3.1", "3.2", "3.3")}
    assert counts == {"3.1": 8, "3.2": 12, "3.3": 23}
