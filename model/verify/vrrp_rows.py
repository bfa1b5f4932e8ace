"""The cells of VRRP, which nobody can probe without joining the election: the kernel's rules alone are asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from model.report.report import Cell
from model.report.words import CellVerdict, Culprit, Plane, PortState
from model.verify.facts import FleetFacts
from model.verify.pairs import Pair

_Judgement = tuple[CellVerdict, PortState, Culprit]
_HOLE: _Judgement = (CellVerdict.VIOLATION, PortState.OPEN, Culprit.DESTINATION_FIREWALL)


def vrrp_cells(facts: FleetFacts, pairs: Iterable[Pair]) -> Iterator[Cell]:
    """Yield a cell for each pair of hosts with a VRRP row, and where rules admit VRRP without one."""
    once = {(pair.source, pair.address): pair for pair in pairs if pair.plane == Plane.HOST}
    for pair in once.values():
        rows = tuple(row for part in pair.openings if part.protocol == "vrrp" for row in part.rows)
        if not rows and not _hole(facts, pair):
            continue
        verdict, seen, culprit = _ruled(facts, pair) if rows else _HOLE
        yield Cell(
            source=pair.source,
            destination=pair.destination,
            address=str(pair.address),
            protocol="vrrp",
            port_lo=0,
            port_hi=0,
            plane=Plane.HOST,
            expected=PortState.OPEN if rows else PortState.CLOSED,
            seen=seen,
            verdict=verdict,
            culprit=culprit,
            rows=rows,
            note="judged by the kernel's rules alone",
        )


def _hole(facts: FleetFacts, pair: Pair) -> bool:
    """Return whether rules admit VRRP, asked only of hosts whose agents both left a record."""
    ruled = facts.ingress(pair, "vrrp")
    return bool(ruled and ruled.admitted) and pair.source in facts.sources and facts.witnessed(pair)


def _ruled(facts: FleetFacts, pair: Pair) -> _Judgement:
    """Say what the rules do with what a row opens."""
    if pair.source not in facts.sources:
        return CellVerdict.UNPROVEN, PortState.UNKNOWN, Culprit.SOURCE
    ruled = facts.ingress(pair, "vrrp")
    if ruled is None or ruled.uncertain or not facts.witnessed(pair):
        return CellVerdict.UNPROVEN, PortState.UNKNOWN, Culprit.WITNESS
    if ruled.admitted:
        return CellVerdict.OK, PortState.OPEN, Culprit.NONE
    return CellVerdict.VIOLATION, PortState.CLOSED, Culprit.DESTINATION_FIREWALL
