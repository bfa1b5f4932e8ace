"""What the product said of a fault, beside what plain connections met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.topology import ROUTER
from tests.lab.port_faults import ends
from tests.lab.port_faults.fault import TABLE, Fault
from tests.lab.port_faults.truth import Matrix, Place

Cell = Mapping[str, Any]
# Said of what a border hides: one of two locks is open, which is a violation all the same (docs/architecture.md).
_ONE_LOCK = "only the border stops it"
_ADMITS = "the host's rules admit what no row opens"
_FOUND = ("drift", "unproven", "failed")
GREEN, RED, CULPRIT, RULE = "wrong green", "wrong red", "wrong culprit", "rule not named"


@dataclass(frozen=True, slots=True)
class Said:
    """
    What the product said: the cells of verify_ports and whether all is good, and of the fault's host the outcomes of
    `firewall --dry-run` and of compliance's checks of the firewall, by subject.
    """

    cells: Sequence[Cell]
    good: bool
    dry: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One fault, what was said of it, and what plain connections met: `met` with the fault, `plain` without."""

    fault: Fault
    declared: Matrix
    said: Said
    met: Mapping[Place, str]
    plain: Mapping[Place, str]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is wrong of the product's words, in lines; and how often it was right, or rightly could not tell."""

    wrong: tuple[str, ...]
    deviating: int
    right: int
    unproven: int
    hidden: int


def judge(run: Run) -> Judgement:
    """Lay every place that was asked beside the cell that speaks of it."""
    told = _Told(run)
    for place in sorted(run.met):
        told.place(place)
    told.whole()
    return Judgement(tuple(dict.fromkeys(told.wrong)), len(told.deviating), told.right, told.unproven, told.hidden)


def claims(cells: Sequence[Cell], declared: Matrix, most: int) -> list[Place]:
    """Return both ends of every cell that is not ok: plain connections must meet what it says."""
    found = [place for cell in bad(cells) for place in _ends_of(cell) if declared.holds(place)]
    return list(dict.fromkeys(found))[:: max(1, len(found) // most)]


def bad(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells that are neither ok nor not asked."""
    return [cell for cell in cells if cell["verdict"] not in ("ok", "not_run")]


def _ends_of(cell: Cell) -> Iterator[Place]:
    for port in dict.fromkeys((cell["port_lo"], cell["port_hi"])):
        yield Place(cell["from"], cell["to"], cell["address"], cell["protocol"], port)


class _Told:
    """Goes over the places of a run, and counts."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.wrong: list[str] = []
        self.deviating: list[Place] = []
        self.right = self.unproven = self.hidden = 0
        self.cells: dict[tuple[str, str, str, str], list[Cell]] = {}
        for cell in run.said.cells:
            self.cells.setdefault((cell["from"], cell["to"], cell["address"], cell["protocol"]), []).append(cell)

    def place(self, place: Place) -> None:
        """Judge what is said of one place."""
        run, met = self.run, self.run.met[place]
        expected, plain = run.declared.of(place), run.plain[place]
        if (plain == ends.CLOSED) != (expected == "closed"):
            self.wrong.append(f"{GREEN}: without the fault, {place} is {plain}, and {expected} is expected")
            return
        cell = self._cell(place)
        verdict = cell["verdict"] if cell else "nothing"
        if met != plain and not _elsewhere(run.fault, expected):
            self.deviating.append(place)
            if verdict not in ("violation", "unproven"):
                self.wrong.append(f"{GREEN}: {place} is {met}, not {plain}; told: {_words(cell)}")
            elif cell:
                self._blamed(place, cell)
        elif verdict == "violation" and cell:
            self._agreeing(place, cell)
        elif verdict == "unproven" and cell:
            self.unproven += 1
            self._blamed(place, cell)
        else:
            self.right += 1

    def whole(self) -> None:
        """Judge what is said of the whole run and of the host."""
        run, fault = self.run, self.run.fault
        if self.deviating and run.said.good:
            self.wrong.append(f"{GREEN}: the run is good, and {len(self.deviating)} places deviate")
        if fault.host == ROUTER or not self.deviating:
            return
        for command, outcomes in (("firewall --dry-run", run.said.dry), ("compliance", run.said.checks)):
            found = [outcome for outcome in outcomes.values() if outcome["status"] in _FOUND]
            if not found:
                self.wrong.append(f"{GREEN}: {command} finds nothing on {fault.host}")
            elif not any(TABLE in _text(outcome) for outcome in found):
                self.wrong.append(f"{RULE}: {command} finds {[outcome['subject'] for outcome in found]}")

    def _agreeing(self, place: Place, cell: Cell) -> None:
        if _ONE_LOCK in cell["note"] or (cell["note"].startswith(_ADMITS) and cell["seen"] == "unknown"):
            self.hidden += 1
            self._blamed(place, cell)
            return
        met = self.run.met[place]
        self.wrong.append(f"{RED}: {place} is {met} as ever; told: {_words(cell)}")

    def _blamed(self, place: Place, cell: Cell) -> None:
        """Judge who is named, and whether the rule is."""
        fault = self.run.fault
        if cell["culprit"] != _culprit(fault):
            self.wrong.append(f"{CULPRIT}: {place}: {_words(cell)}")
        elif _explained_by_rule(fault) and TABLE not in cell["note"]:
            self.wrong.append(f"{RULE}: {place}: {_words(cell)}")
        else:
            self.right += 1
            self.unproven += cell["verdict"] == "unproven" and place in self.deviating

    def _cell(self, place: Place) -> Cell | None:
        cells = self.cells.get((place.source, place.destination, place.address, place.protocol), ())
        return next((cell for cell in cells if cell["port_lo"] <= place.port <= cell["port_hi"]), None)


def _culprit(fault: Fault) -> str:
    if fault.leads:
        return "nat"
    if fault.host == ROUTER:
        return "path"
    return "destination-firewall" if fault.inward else "source-egress"


def _elsewhere(fault: Fault, expected: str) -> bool:
    """What a source leads away itself never reaches the closed port: whoever answers, that port stays closed."""
    return fault.leads and not fault.inward and expected == "closed"


def _explained_by_rule(fault: Fault) -> bool:
    """Rules where the host's own firewall stands are told by `firewall --dry-run`; the router's are not read here."""
    return fault.host != ROUTER and not (fault.tool == "iptables" and fault.table == "filter")


def _words(cell: Cell | None) -> str:
    if cell is None:
        return "nothing"
    ports = f"{cell['port_lo']}-{cell['port_hi']}"
    return f"{ports} {cell['expected']} {cell['seen']} {cell['verdict']} {cell['culprit']} {cell['note']!r}"


def _text(outcome: Mapping[str, Any]) -> str:
    return f"{outcome.get('message', '')} {outcome.get('next', '')} {outcome.get('evidence', '')}"
