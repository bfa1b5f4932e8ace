"""Reports of sites that do not exist: as large and as wrong as a test wants them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from model.report.outcome import Outcome, Status
from model.report.report import Cell, CellEvidence, Report
from model.report.words import CellVerdict, Culprit, Plane, PortState

STARTED = datetime(2026, 11, 23, 22, 0, 5, tzinfo=UTC)
ROLES = {
    "cp": "control_plane",
    "w": "worker",
    "db": "database",
    "st": "storage",
    "call": "call",
    "li": "li",
    "mon": "monitoring",
}
COUNTS = {"cp": 3, "w": 3, "db": 3, "st": 4, "call": 2, "li": 1, "mon": 1}
OPEN = {
    "control_plane": {"tcp": (22, 2379, 2380, 6443, 8443, 10250, 10257, 10259), "udp": (8472,)},
    "worker": {"tcp": (22, 80, 443, 10250, 30000), "udp": (8472,)},
    "database": {"tcp": (22, 5432, 8000, 9187, 10250), "udp": (8472,)},
    "storage": {"tcp": (22, 9000, 9001, 10250), "udp": (8472,)},
    "call": {"tcp": (22, 3478, 5349, 7880, 7881, 10250), "udp": (3478, 7882, 8472, 49152)},
    "li": {"tcp": (22, 10250), "udp": (8472,)},
    "monitoring": {"tcp": (22, 3000, 3100, 9090, 9100, 10250), "udp": (8472,)},
}
SUBJECTS = ("connection", "rules", "ruleset", "listeners")


def hosts(total: int) -> dict[str, list[str]]:
    """Return names with their roles: the reference's seventeen, then workers."""
    counts = COUNTS | {"w": COUNTS["w"] + total - sum(COUNTS.values())}
    named = {f"{stem}-{number}": [ROLES[stem]] for stem, count in counts.items() for number in range(1, count + 1)}
    return named | {"st-1": ["storage", "worker"]}


def cells(roles: dict[str, list[str]]) -> Iterator[Cell]:
    """Yield a cell for each open port and each gap between, for every ordered pair and both families."""
    numbers = {host: index + 10 for index, host in enumerate(roles)}
    for source in roles:
        for destination, own in roles.items():
            if source == destination:
                continue
            for address in (f"10.20.1.{numbers[destination]}", f"fd20:1::{numbers[destination]:x}"):
                for protocol in ("tcp", "udp"):
                    yield from _column(source, destination, address, protocol, own)


def _column(source: str, destination: str, address: str, protocol: str, roles: list[str]) -> Iterator[Cell]:
    position = 1
    for port in sorted({port for role in roles for port in OPEN[role][protocol]}):
        if position < port:
            yield _closed(source, destination, address, protocol, position, port - 1)
        reply = "syn-ack" if protocol == "tcp" else "none"
        yield Cell(
            source=source,
            destination=destination,
            address=address,
            protocol=protocol,
            port_lo=port,
            port_hi=port,
            plane=Plane.HOST,
            expected=PortState.OPEN,
            seen=PortState.OPEN,
            verdict=CellVerdict.OK,
            rows=(f"row-{port}",),
            probed=1,
            evidence=CellEvidence(1, 1, 1, reply),
        )
        position = port + 1
    yield _closed(source, destination, address, protocol, position, 65535)


def _closed(source: str, destination: str, address: str, protocol: str, low: int, high: int) -> Cell:
    probed = min(high - low + 1, 5)
    seen = CellEvidence(probed, probed, 0, "none")
    return Cell(
        source=source,
        destination=destination,
        address=address,
        protocol=protocol,
        port_lo=low,
        port_hi=high,
        plane=Plane.HOST,
        expected=PortState.CLOSED,
        seen=PortState.CLOSED,
        verdict=CellVerdict.OK,
        probed=probed,
        evidence=seen,
    )


def spoil(cell: Cell) -> Cell:
    """Break what a bad day breaks: a firewall, a router, a hole, a dead host, a waived port."""
    key = (cell.source, cell.destination, cell.port_lo, cell.protocol)
    if cell.destination == "db-1" and cell.port_lo == 5432 and cell.source != "w-1":
        note = "arrived, and the host's firewall dropped it"
        return replace(
            cell,
            seen=PortState.CLOSED,
            verdict=CellVerdict.VIOLATION,
            culprit=Culprit.DESTINATION_FIREWALL,
            note=note,
            evidence=CellEvidence(1, 1, 0, "none"),
        )
    if cell.destination == "li-1" and cell.port_lo == 10250 and cell.source.startswith("cp"):
        note = "left the source, never arrived; both ends work"
        return replace(
            cell,
            seen=PortState.CLOSED,
            verdict=CellVerdict.VIOLATION,
            culprit=Culprit.PATH,
            note=note,
            evidence=CellEvidence(3, 0, 0, "none"),
        )
    if key == ("mon-1", "st-2", 9002, "tcp"):
        note = "the host's rules admit what no row opens"
        return replace(
            cell,
            seen=PortState.OPEN,
            verdict=CellVerdict.VIOLATION,
            culprit=Culprit.DESTINATION_FIREWALL,
            note=note,
            evidence=None,
            probed=0,
        )
    if "st-4" in (cell.source, cell.destination):
        dead, note = (
            ("witness", "nobody looked here")
            if cell.destination == "st-4"
            else ("source", "nothing could be sent from here")
        )
        return replace(
            cell,
            seen=PortState.UNKNOWN,
            verdict=CellVerdict.UNPROVEN,
            culprit=Culprit(dead),
            note=note,
            evidence=CellEvidence(1 if dead == "witness" else None),
        )
    if cell.port_lo == 9001 and cell.destination == "st-3":
        return replace(
            cell,
            seen=PortState.CLOSED,
            verdict=CellVerdict.WAIVED,
            culprit=Culprit.DESTINATION_FIREWALL,
            note="waived by storage team until 2027-01-31: console moves",
        )
    return cell


def report(total: int = 17, *, bad: bool = False, flow: str = "verify_ports") -> Report:
    """Return a verification of `total` hosts, good or with the faults of `spoil`."""
    roles = hosts(total)
    cells_of_run = [spoil(cell) if bad else cell for cell in cells(roles)]
    pod = replace(
        cells_of_run[0],
        plane=Plane.POD,
        verdict=CellVerdict.NOT_RUN,
        seen=PortState.UNKNOWN,
        evidence=None,
        probed=0,
        note="no cluster yet",
    )
    names = list(roles)
    return Report(
        flow=flow,
        site="reference",
        run=f"20261123T220005Z-{flow}",
        started=STARTED,
        ended=STARTED + timedelta(seconds=14.2),
        hosts=tuple(names),
        outcomes=tuple(outcome for name in names for outcome in outcomes(name, bad)),
        cells=(*cells_of_run, pod),
        probes=sum(cell.probed for cell in cells_of_run),
        loss=3,
        extra={"roles": roles, "perimeter": perimeter(bad), "declared": len(cells_of_run)},
    )


def outcomes(host: str, bad: bool) -> list[Outcome]:
    """Return a host's outcomes."""
    if bad and host == "st-4":
        step = f"is {host} powered on? `ssh {host}` from here shows what it says"
        return [
            Outcome(
                host,
                "connection",
                Status.FAILED,
                "no answer from 10.20.1.22 port 22 in 5 s",
                next=step,
                evidence=None,
                seconds=5.0,
            )
        ]
    cells_of_run = [Outcome(host, subject, Status.OK, seconds=0.4) for subject in SUBJECTS]
    if bad and host.startswith("db"):
        diff = [
            "--- kernel",
            "+++ declared",
            " -A ufw-user-input -p tcp --dport 22 -j ACCEPT",
            "-A ufw-user-input -p tcp --dport 5432 -j DROP",
            "+-A ufw-user-input -p tcp --dport 5432 -s 10.20.1.13 -j ACCEPT",
        ]
        step = f"run `python -m flows.firewall --limit {host}`"
        cells_of_run[1] = Outcome(
            host,
            "rules",
            Status.DRIFT,
            "2 rules differ from the matrix",
            next=step,
            evidence={"diff": diff},
            seconds=0.7,
        )
    if bad and host == "mon-1":
        cells_of_run[3] = Outcome(
            host, "listeners", Status.WAIVED, "node-exporter is not installed yet (waived by ops until 2027-01-31)"
        )
    return cells_of_run


def perimeter(bad: bool) -> list[dict[str, object]]:
    """Return the external rows as declared, configured and witnessed."""
    rows = (
        ("https", 443, "tcp"),
        ("turn-udp", 3478, "udp"),
        ("livekit-ice-tcp", 7881, "tcp"),
        ("turn-relay", "49152-65535", "udp"),
    )
    return [
        {"row": row, "address": "198.51.100.101", "port": port, "protocol": protocol, "declared": "open",
         "configured": "closed" if bad and port == 7881 else "open",
          "witnessed": "closed" if bad and port == 7881 else "open"}
        for row, port, protocol in rows
    ]  # fmt: skip
