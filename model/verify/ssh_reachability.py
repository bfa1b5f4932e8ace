"""What the controller's own new connection to each sshd showed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from model.host.hostview import HostView
from model.report.report import Cell, CellEvidence
from model.report.words import CellVerdict, Culprit, Plane, PortState
from model.site.hosts import Machine
from model.site.rows import Row
from model.site.site import Site


@dataclass(frozen=True, slots=True)
class SshReachability:
    """
    The controller's own new connection to one host's sshd: whether sshd answered, and how often its witness saw the
    first packet.

    `arrived` and `passed` are None where no witness left a record. `doubt` says what was lost on the way, where that
    may be why there was no answer.
    """

    answered: bool
    arrived: int | None = None
    passed: int | None = None
    doubt: str = ""


def controller_cells(
    site: Site, reached: Mapping[str, SshReachability], views: Mapping[str, HostView], names: Iterable[str]
) -> Iterator[Cell]:
    """
    Yield the flow every run uses itself: from the controller to each server's sshd, with what the witness saw of it.
    """
    for name in names:
        machine = site.by_name[name]
        if machine.kind != "server":
            continue
        port = views[name].sshd_port if name in views else machine.port
        answer = reached.get(name, SshReachability(answered=False))
        verdict, seen, culprit = _judged(answer)
        yield Cell(
            source="controller",
            destination=name,
            address=machine.hostname,
            protocol="tcp",
            port_lo=port,
            port_hi=port,
            plane=Plane.HOST,
            expected=PortState.OPEN,
            seen=seen,
            verdict=verdict,
            culprit=culprit,
            rows=_management_rows(site, machine, port),
            probed=1,
            evidence=CellEvidence(1, answer.arrived, answer.passed, "data" if answer.answered else "none"),
            note=answer.doubt if verdict == CellVerdict.UNPROVEN and answer.doubt else _NOTES[culprit],
        )


_NOTES = {
    Culprit.NONE: "the controller's own connection",
    Culprit.WITNESS: "nobody looked here",
    Culprit.LISTENER: "the controller's connection passed, and no sshd answered",
    Culprit.DESTINATION_FIREWALL: "the controller's connection arrived, and the host's firewall dropped it",
    Culprit.PATH: "the controller's connection never arrived",
}


def _judged(answer: SshReachability) -> tuple[CellVerdict, PortState, Culprit]:
    """Verdict, what was seen, and the culprit."""
    if answer.arrived is None:
        return CellVerdict.UNPROVEN, PortState.UNKNOWN, Culprit.WITNESS
    if answer.passed and answer.answered:
        return CellVerdict.OK, PortState.OPEN, Culprit.NONE
    if answer.passed:
        verdict = CellVerdict.UNPROVEN if answer.doubt else CellVerdict.VIOLATION
        return verdict, PortState.OPEN, Culprit.LISTENER
    if answer.doubt and not answer.arrived:
        return CellVerdict.UNPROVEN, PortState.UNKNOWN, Culprit.PATH
    culprit = Culprit.DESTINATION_FIREWALL if answer.arrived else Culprit.PATH
    return CellVerdict.VIOLATION, PortState.CLOSED, culprit


def _management_rows(site: Site, machine: Machine, port: int) -> tuple[str, ...]:
    return tuple(
        row.name
        for row in site.active_rows
        if "management" in row.source_ends and machine in _ends(site, row) and (port, port) in row.intervals
    )


def _ends(site: Site, row: Row) -> tuple[Machine, ...]:
    return tuple(machine for end in row.destination_ends for machine in site.machines_at(end))
