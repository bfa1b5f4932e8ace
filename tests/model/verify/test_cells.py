"""Cells cut every declared interval without gap or overlap, and keep anomalies exact."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from model import bits
from model.matrix.matrix import Opening
from model.report.report import Cell
from model.report.words import CellVerdict, Culprit, Plane, PortState
from model.verify.cells import cells
from model.verify.classes import Classification, PortClasses
from model.verify.evidence import StreamEvidence
from model.verify.pairs import EVERY_PORT, Pair

OPEN = Classification(PortState.OPEN, PortState.OPEN, CellVerdict.OK)
CLOSED = Classification(PortState.CLOSED, PortState.CLOSED, CellVerdict.OK)
BORDER = Classification(PortState.CLOSED, PortState.CLOSED, CellVerdict.OK, Culprit.NONE, "stopped at the border")
BAD = Classification(PortState.CLOSED, PortState.OPEN, CellVerdict.VIOLATION, Culprit.DESTINATION_FIREWALL)
DOUBT = Classification(PortState.CLOSED, PortState.UNKNOWN, CellVerdict.UNPROVEN, Culprit.PATH)
RULED = Classification(
    PortState.CLOSED, PortState.OPEN, CellVerdict.VIOLATION, Culprit.DESTINATION_FIREWALL, "by rules", by_rules=True
)


def pair(*opened: tuple[int, int], probed: int = 0) -> Pair:
    openings = tuple(Opening("tcp", interval, (f"row-{interval[0]}",)) for interval in opened)
    return Pair(
        source="a",
        destination="b",
        source_address=ip_address("10.0.0.1"),
        address=ip_address("10.0.0.2"),
        plane=Plane.HOST,
        border=False,
        openings=openings,
        external="",
        probed={"tcp": probed},
    )


def cut(
    classes: PortClasses, *opened: tuple[int, int], coverage: int = EVERY_PORT, packets: StreamEvidence | None = None
) -> list[Cell]:
    probed = 0
    for classification, ports in classes.items():
        probed |= 0 if classification.by_rules else ports
    return list(cells(pair(*opened, probed=probed), "tcp", classes, packets or StreamEvidence(), coverage))


def spans(found: list[Cell]) -> list[tuple[int, int, str]]:
    return [(cell.port_lo, cell.port_hi, cell.verdict) for cell in found]


def ports(*chosen: int) -> int:
    return bits.from_ports(chosen)


def test_an_interval_with_one_story_is_one_cell_that_counts_its_probes() -> None:
    cells_there = cut({CLOSED: ports(1, 79, 81, 65535), OPEN: ports(80)}, (80, 80))
    assert spans(cells_there) == [(1, 79, "ok"), (80, 80, "ok"), (81, 65535, "ok")]
    assert [cell.probed for cell in cells_there] == [2, 1, 2]
    assert [cell.rows for cell in cells_there] == [(), ("row-80",), ()]


def test_an_anomaly_is_exact_and_its_good_neighbours_take_the_rest() -> None:
    assert spans(cut({CLOSED: ports(1, 100, 65535), BAD: ports(50)})) == [
        *((1, 49, "ok"), (50, 50, "violation"), (51, 65535, "ok")),
    ]


def test_ports_between_a_doubt_and_a_violation_belong_to_the_doubt() -> None:
    assert spans(cut({BAD: ports(10), DOUBT: ports(20, 30), CLOSED: ports(40)})) == [
        *((1, 10, "violation"), (11, 30, "unproven"), (31, 65535, "ok")),
    ]


def test_what_the_rules_say_is_never_stretched() -> None:
    assert spans(cut({CLOSED: ports(1, 65535), RULED: ports(500, 501, 600)})) == [
        *((1, 499, "ok"), (500, 501, "violation"), (502, 599, "ok"), (600, 600, "violation"), (601, 65535, "ok")),
    ]
    assert spans(cut({RULED: ports(500)})) == [(500, 500, "violation")]
    assert spans(cut({BAD: ports(1), RULED: ports(500)})) == [(1, 499, "violation"), (500, 500, "violation")]


def test_what_the_rules_say_joins_a_probed_port_of_the_same_verdict_beside_it() -> None:
    assert spans(cut({CLOSED: ports(1, 65535), BAD: ports(500), RULED: ports(499, 501, 502)})) == [
        *((1, 498, "ok"), (499, 502, "violation"), (503, 65535, "ok")),
    ]


def test_a_probed_port_further_on_does_not_draw_the_ports_between_into_what_the_rules_say() -> None:
    assert spans(cut({CLOSED: ports(1), BAD: ports(25, 28), RULED: ports(26)})) == [
        *((1, 24, "ok"), (25, 26, "violation"), (27, 65535, "violation")),
    ]


def test_a_cell_by_rules_has_no_evidence_and_no_probes() -> None:
    (cell,) = [cell for cell in cut({CLOSED: ports(1), RULED: ports(500)}) if cell.verdict == "violation"]
    assert (cell.probed, cell.evidence) == (0, None)


def test_two_good_stories_stay_two_cells() -> None:
    assert spans(cut({CLOSED: ports(1, 10), BORDER: ports(20)})) == [(1, 19, "ok"), (20, 65535, "ok")]


def test_chosen_ports_are_not_stretched() -> None:
    assert spans(cut({CLOSED: ports(5, 6)}, coverage=ports(5, 6))) == [(5, 6, "ok")]
    blind = Classification(PortState.CLOSED, PortState.UNKNOWN, CellVerdict.UNPROVEN, Culprit.WITNESS)
    assert spans(cut({blind: EVERY_PORT}, coverage=ports(5, 6))) == [(5, 6, "unproven")]


def test_evidence_counts_only_the_cells_own_packets() -> None:
    packets = StreamEvidence(
        sent=ports(1, 2, 80), arrived=ports(1, 80), passed=ports(80), rst=ports(1), synack=ports(80)
    )
    shut, opened, _ = cut({CLOSED: ports(1, 2, 99), OPEN: ports(80)}, (80, 80), packets=packets)
    assert shut.evidence
    assert shut.evidence.to_json() == {"S": 2, "A": 1, "P": 0, "R": "rst"}
    assert opened.evidence
    assert opened.evidence.to_json() == {"S": 1, "A": 1, "P": 1, "R": "syn-ack"}


def test_what_nobody_observed_is_null_not_zero() -> None:
    blind, unsent = (
        Classification(PortState.CLOSED, PortState.UNKNOWN, CellVerdict.UNPROVEN, culprit)
        for culprit in (Culprit.WITNESS, Culprit.SOURCE)
    )
    (cell,) = cut({blind: EVERY_PORT}, packets=StreamEvidence(sent=ports(1, 2)))
    assert cell.evidence
    assert cell.evidence.to_json() == {"S": 2, "A": None, "P": None, "R": "none"}
    (cell,) = cut({unsent: EVERY_PORT})
    assert cell.evidence
    assert cell.evidence.to_json() == {"S": None, "A": None, "P": None, "R": "none"}


def test_icmp_names_its_kind_and_sender() -> None:
    packets = StreamEvidence(sent=ports(1), icmp={"3 10.20.1.1": ports(1)})
    (cell,) = cut({DOUBT: ports(1)}, packets=packets)
    assert cell.evidence
    assert cell.evidence.reply == "icmp 3 10.20.1.1"


kinds = st.dictionaries(st.integers(1, 60), st.sampled_from([CLOSED, BORDER, BAD, DOUBT, RULED]), min_size=1)


@settings(max_examples=settings().max_examples * 4)
@given(kinds, st.sampled_from([(), ((20, 30),), ((1, 5), (40, 40), (41, 60))]))
def test_cells_never_overlap_tell_every_port_its_own_story_and_lose_no_probe(
    told: dict[int, Classification], opened: tuple[tuple[int, int], ...]
) -> None:
    classes: PortClasses = {}
    for port, classification in told.items():
        classes[classification] = classes.get(classification, 0) | 1 << port
    cells_there = cut(classes, *opened)
    assert all(cell.port_hi < after.port_lo for cell, after in pairwise(cells_there))
    holder = {port: cell for cell in cells_there for port in range(cell.port_lo, min(cell.port_hi, 70) + 1)}
    for port, classification in told.items():
        assert (holder[port].verdict, holder[port].culprit) == (classification.verdict, classification.culprit)
        for beside in (port - 1, port + 1):
            if classification.by_rules and beside not in told:
                assert holder.get(beside) is not holder[port], "the rules said nothing of that port"
    for cell in cells_there:
        assert not any(low <= cell.port_hi and cell.port_lo <= high for low, high in opened) or cell.rows
    assert sum(cell.probed for cell in cells_there) == sum(classification != RULED for classification in told.values())
    if not opened and CLOSED in classes:
        assert [cell.port_lo for cell in cells_there] == [1, *(cell.port_hi + 1 for cell in cells_there[:-1])]
        assert cells_there[-1].port_hi == 65535
