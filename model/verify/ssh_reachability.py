"""What did the controller's own new connection to each sshd show?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from model.host.hostview import HostView
from model.report.report import Cell, CellEvidence
from model.site.hosts import Machine
from model.site.rows import Row
from model.site.site import Site


@dataclass(frozen=True, slots=True)
class SshReachability:
    """
    The controller's own new connection to one host's sshd: whether sshd answered, and how often its witness saw the
    first packet.

    `arrived` and `passed` are None where no witness gave account.
    """

    answered: bool
    arrived: int | None = None
    passed: int | None = None


def controller_cells(
    site: Site, greetings: Mapping[str, SshReachability], views: Mapping[str, HostView], names: Iterable[str]
) -> Iterator[Cell]:
    """
    Yield the flow every run uses itself: from the controller to each server's sshd, with what the witness saw of it.
    """
    for name in names:
        machine = site.by_name[name]
        if machine.kind != "server":
            continue
        port = views[name].sshd_port if name in views else machine.port
        greeting = greetings.get(name, SshReachability(answered=False))
        verdict, seen, culprit = _greeted(greeting)
        yield Cell(
            source="controller",
            destination=name,
            address=machine.hostname,
            protocol="tcp",
            port_lo=port,
            port_hi=port,
            plane="host",
            expected="open",
            seen=seen,
            verdict=verdict,
            culprit=culprit,
            rows=_management_rows(site, machine, port),
            probed=1,
            evidence=CellEvidence(1, greeting.arrived, greeting.passed, "data" if greeting.answered else "none"),
            note=_GREETING_NOTES[culprit],
        )


_GREETING_NOTES = {
    "": "the controller's own connection",
    "witness": "nobody looked here",
    "listener": "the controller's connection passed, and no sshd answered",
    "destination-firewall": "the controller's connection arrived, and the host's firewall dropped it",
    "path": "the controller's connection never arrived",
}


def _greeted(greeting: SshReachability) -> tuple[str, str, str]:
    """Verdict, what was seen, and the culprit."""
    if greeting.arrived is None:
        return "unproven", "unknown", "witness"
    if greeting.passed and greeting.answered:
        return "ok", "open", ""
    if greeting.passed:
        return "violation", "open", "listener"
    return ("violation", "closed", "destination-firewall") if greeting.arrived else ("violation", "closed", "path")


def _management_rows(site: Site, machine: Machine, port: int) -> tuple[str, ...]:
    return tuple(
        row.name
        for row in site.active_rows
        if "management" in row.source_ends and machine in _ends(site, row) and (port, port) in row.intervals
    )


def _ends(site: Site, row: Row) -> tuple[Machine, ...]:
    return tuple(machine for end in row.destination_ends for machine in site.machines_at(end))
