"""One run's result: outcomes by host, and for verification one cell a stretch of ports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime

from model.report.outcome import DRIFTED, EXIT_BY_STATUS, GOOD, UNKNOWN, Outcome, Status, worst
from model.report.words import CellVerdict, Culprit, Plane, PortState

SCHEMA = "matrix-fleet/report/1"

EXIT_BY_VERDICT = {
    CellVerdict.OK: GOOD,
    CellVerdict.WAIVED: GOOD,
    CellVerdict.NOT_RUN: GOOD,
    CellVerdict.VIOLATION: DRIFTED,
    CellVerdict.UNPROVEN: UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class CellEvidence:
    """
    Packets of a cell's probes seen at four points: S left the source, A arrived, P passed the firewall, R what came
    back.

    `None` means not observed. `reply` is none, syn-ack, rst, data or `icmp <type> <sender>`.
    """

    sent: int | None = None
    arrived: int | None = None
    passed: int | None = None
    reply: str | None = None

    def to_json(self) -> dict[str, object]:
        """Return the four points under their one-letter names."""
        return {"S": self.sent, "A": self.arrived, "P": self.passed, "R": self.reply}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """
    Consecutive ports of one declared interval, between one pair of ends, with the same classification.

    `rows` are the names of the port matrix's rows that open (or, closed, would open) it; `probed` counts the probed
    ports. `note` is one sentence for a person; `answered` names the host that took the packets where NAT decides.
    """

    source: str
    destination: str
    address: str
    protocol: str
    port_lo: int
    port_hi: int
    plane: Plane
    expected: PortState
    seen: PortState
    verdict: CellVerdict
    culprit: Culprit = Culprit.NONE
    rows: tuple[str, ...] = ()
    probed: int = 0
    evidence: CellEvidence | None = None
    note: str = ""
    answered: str = ""

    def to_json(self) -> dict[str, object]:
        """Return the cell as the report's schema has it."""
        data = {
            "from": self.source,
            "to": self.destination,
            "address": self.address,
            "protocol": self.protocol,
            "port_lo": self.port_lo,
            "port_hi": self.port_hi,
            "plane": self.plane,
            "expected": self.expected,
            "seen": self.seen,
            "verdict": self.verdict,
            "culprit": self.culprit,
            "rows": list(self.rows),
            "probed": self.probed,
            "evidence": None if self.evidence is None else self.evidence.to_json(),
        }
        return (
            data | ({"note": self.note} if self.note else {}) | ({"answered": self.answered} if self.answered else {})
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    The canonical result; screen, JSON, JUnit and HTML are rendered from it and from nothing else.

    `extra` holds a flow's own keys. `forced` is an exit code known before any outcome (a refused plan).
    """

    flow: str
    site: str
    run: str
    started: datetime
    ended: datetime
    hosts: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    cells: tuple[Cell, ...] | None = None
    probes: int | None = None
    loss: int | None = None
    forced: int = GOOD
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def exit(self) -> int:
        """The process's exit code: the worst of all outcomes and cells; a report without any outcome is 3."""
        codes = [self.forced, *(EXIT_BY_STATUS[outcome.status] for outcome in self.outcomes)]
        codes += [EXIT_BY_VERDICT[cell.verdict] for cell in self.cells or ()]
        return worst(codes) if self.outcomes else worst([*codes, UNKNOWN])

    @property
    def good(self) -> bool:
        """True when the exit code is 0 and at least one outcome is ok or changed."""
        return self.exit == GOOD and any(outcome.status in (Status.OK, Status.CHANGED) for outcome in self.outcomes)

    def count(self) -> Counter[str]:
        """Count outcomes by status."""
        return Counter(outcome.status.value for outcome in self.outcomes)

    def verdicts(self) -> Counter[str]:
        """Count cells by verdict."""
        return Counter(cell.verdict for cell in self.cells or ())

    def to_json(self) -> dict[str, object]:
        """Return the report as its JSON Schema has it."""
        data: dict[str, object] = {
            "schema": SCHEMA,
            "flow": self.flow,
            "site": self.site,
            "run": self.run,
            "started": self.started.isoformat(),
            "ended": self.ended.isoformat(),
            "exit": self.exit,
            "good": self.good,
            "hosts": list(self.hosts),
            "outcomes": [asdict(outcome) | {"status": outcome.status.value} for outcome in self.outcomes],
        }
        if self.cells is not None:
            data |= {"cells": [cell.to_json() for cell in self.cells], "probes": self.probes, "loss": self.loss}
        return data | dict(self.extra)


def silent(hosts: Iterable[str], outcomes: Iterable[Outcome]) -> list[str]:
    """Return the expected hosts that no outcome speaks of: silence is never success."""
    heard = {outcome.host for outcome in outcomes}
    return [host for host in hosts if host not in heard]
