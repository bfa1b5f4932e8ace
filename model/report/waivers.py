"""The findings that the site answers for, by whom and until when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase

from model.report.outcome import Outcome, Status, warns
from model.report.report import Cell
from model.report.words import CellVerdict
from model.site.settings import Waiver

# Somebody answers for what was found, and nobody for what could not be looked at.
WAIVABLE = frozenset({Status.DRIFT, Status.UNPROVEN})


def waive_outcomes(outcomes: Iterable[Outcome], waivers: Sequence[Waiver], today: date) -> tuple[Outcome, ...]:
    """
    Return the outcomes with every finding that a valid waiver names (id = subject, host = host or glob) turned into
    `waived`.
    """
    return tuple(_waive_outcome(outcome, waivers, today) for outcome in outcomes)


def _waive_outcome(outcome: Outcome, waivers: Sequence[Waiver], today: date) -> Outcome:
    if outcome.status not in WAIVABLE and not warns(outcome.status, outcome.evidence):
        return outcome
    for waiver in waivers:
        if waiver.id == outcome.subject and fnmatchcase(outcome.host, waiver.host) and waiver.expires >= today:
            return replace(outcome, status=Status.WAIVED, message=f"{outcome.message} ({_by(waiver)})")
    return outcome


def waive_cells(cells: Iterable[Cell], waivers: Sequence[Waiver], today: date) -> tuple[Cell, ...]:
    """
    Return the cells with every violation or doubt that a valid waiver names turned into `waived`.

    A waiver names a cell by `id: port` (or the culprit, or a row) and `host: from->to:port/protocol`, where each part
    may be a glob and the port must be the whole cell's (`lo-hi` or one number).
    """
    valid = [waiver for waiver in waivers if waiver.expires >= today and "->" in waiver.host]
    if not valid:
        return tuple(cells)
    return tuple(_waive_cell(cell, valid) for cell in cells)


def _waive_cell(cell: Cell, waivers: Sequence[Waiver]) -> Cell:
    if cell.verdict not in (CellVerdict.VIOLATION, CellVerdict.UNPROVEN):
        return cell
    ports = str(cell.port_lo) if cell.port_lo == cell.port_hi else f"{cell.port_lo}-{cell.port_hi}"
    name = f"{cell.source}->{cell.destination}:{ports}/{cell.protocol}"
    ids = {"port", cell.culprit, *cell.rows}
    for waiver in waivers:
        if waiver.id in ids and fnmatchcase(name, waiver.host):
            return replace(cell, verdict=CellVerdict.WAIVED, note=f"{cell.note} ({_by(waiver)})".strip())
    return cell


def expired(waivers: Iterable[Waiver], today: date) -> Iterator[Outcome]:
    """Yield a finding for each waiver whose date has passed."""
    for waiver in waivers:
        if waiver.expires < today:
            message = f"the waiver of {waiver.owner} for `{waiver.id}` on {waiver.host} ended on {waiver.expires}"
            yield Outcome(
                "controller",
                "waiver-expired",
                Status.DRIFT,
                message,
                next="mend what it covered, or renew it in site.yaml",
            )


def _by(waiver: Waiver) -> str:
    return f"waived by {waiver.owner} until {waiver.expires}: {waiver.reason}"
