"""Checks of ports: what packets proved of the perimeter, LI's isolation, hosts and pods, and how fresh that is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from checks.check import ComplianceView, SiteCheck
from model.check.finding import Verdict, settled
from model.report.consequence import consequence
from model.site.site import Site
from model.verify.proof import CellGroup, Proof

_SHOWN = 3
_NEVER = "the ports were never proven: run python -m flows.verify_ports"


def perimeter(view: ComplianceView) -> Verdict:
    """Find external rows that packets from outside contradict, or that no packet tried."""
    return _judged(view, lambda cell: cell.plane == "external", _untried_rows)


def isolation(view: ComplianceView) -> Verdict:
    """
    Find flows across the border of isolated networks that packets contradict, and hosts that no packet tried to cross
    to.
    """
    isolated = _isolated(view.site)
    if not isolated:
        return Verdict("the site has no isolated network")
    return _judged(view, lambda cell: (cell.source in isolated) != (cell.destination in isolated), _untried_border)


def hosts(view: ComplianceView) -> Verdict:
    """Find flows between hosts that packets contradict, and hosts that no packet tried."""
    return _judged(view, lambda cell: cell.plane == "host", _untried_hosts)


def pods(view: ComplianceView) -> Verdict:
    """Find flows between pods that packets contradict; without a cluster nothing is due."""
    cells = [cell for cell in view.proof.cells if cell.plane == "pod"] if view.proof else []
    if view.proof is not None and all(cell.verdict == "not_run" for cell in cells):
        return Verdict(pending="comes with the cluster")
    return _judged(view, lambda cell: cell.plane == "pod", lambda _site, _cells: [])


def _judged(
    view: ComplianceView, concerns: Callable[[CellGroup], bool], untried: Callable[[Site, list[CellGroup]], list[str]]
) -> Verdict:
    stale = _stale(view.proof, view)
    if view.proof is None or stale:
        return Verdict(doubt=stale)
    cells = [cell for cell in view.proof.cells if concerns(cell)]
    flows = _count(cells)
    seen = {"run": view.proof.run, "ended": view.proof.ended.isoformat(), "cells": flows}
    violations = [cell for cell in cells if cell.verdict == "violation"]
    if violations:
        lines = [line for cell in violations for line in cell.examples]
        return settled([_few(lines, _count(violations))], "", seen | {"violations": lines[:50]})
    every = [cell for cell in cells if cell.verdict == "unproven"]
    unproven = [cell for cell in every if not view.silent.keys() & {cell.source, cell.destination}]
    gaps = untried(view.site, cells)
    if every and not unproven and not gaps:
        silent = {end for cell in every for end in (cell.source, cell.destination) if end in view.silent}
        return Verdict(doubt=consequence(silent), evidence=seen)
    doubts = [*(line for cell in unproven for line in cell.examples), *gaps]
    if doubts or not cells:
        few = _few(doubts, _count(unproven) + len(gaps))
        return Verdict(doubt=few or f"{view.proof.run} tried none of it", evidence=seen)
    return Verdict(f"{flows} flows are as declared, by {view.proof.run}", seen)


def _stale(proof: Proof | None, view: ComplianceView) -> str:
    if proof is None:
        return _NEVER
    limit = timedelta(hours=view.site.settings.compliance.proof_hours)
    age = view.now - proof.ended
    if age > limit:
        return f"the ports were last proven {age.days} days ago ({proof.run}); run python -m flows.verify_ports"
    return ""


def _untried_rows(site: Site, cells: list[CellGroup]) -> list[str]:
    tried = {row for cell in cells for row in cell.rows}
    rows = [row.name for row in site.active_rows if row.plane == "external" and row.target and row.name not in tried]
    return [f"no packet tried the row {name}" for name in rows]


def _untried_border(site: Site, cells: list[CellGroup]) -> list[str]:
    isolated = _isolated(site)
    crossing = {(cell.source, cell.destination) for cell in cells}
    outside = [machine.name for machine in site.servers if machine.name not in isolated]
    pairs = [pair for name in sorted(isolated) for other in outside for pair in ((name, other), (other, name))]
    return [
        f"no packet tried {source} to {destination}"
        for source, destination in pairs
        if (source, destination) not in crossing
    ]


def _untried_hosts(site: Site, cells: list[CellGroup]) -> list[str]:
    sources, destinations = {cell.source for cell in cells}, {cell.destination for cell in cells}
    names = [machine.name for machine in site.servers]
    return [f"no packet tried {name}" for name in names if name not in sources or name not in destinations]


def _isolated(site: Site) -> frozenset[str]:
    return frozenset(machine.name for machine in site.servers if site.isolated(machine))


def _count(cells: Iterable[CellGroup]) -> int:
    return sum(cell.count for cell in cells)


def _few(lines: Sequence[str], count: int) -> str:
    more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
    return "; ".join(lines[:_SHOWN]) + more


def _check(name: str, title: str, judge: Callable[[ComplianceView], Verdict], looks_at: str) -> SiteCheck:
    return SiteCheck(
        id=name,
        title=title,
        phase="prerequisites" if name.startswith(("perimeter", "li")) else "host",
        looks_at=f"the latest report of flows.verify_ports: {looks_at}",
        by="python -m flows.report show latest-verify_ports",
        remedy=(
            "python -m flows.verify_ports tells who drops or admits what; "
            "docs/firewall-request.md is for the network team"
        ),
        judge=judge,
    )


CHECKS = (
    _check(
        "perimeter/rows",
        "The perimeter lets through what is declared, and no more",
        perimeter,
        "packets from the vantage host",
    ),
    _check(
        "ports/hosts",
        "Between servers exactly the declared ports are open",
        hosts,
        "packets between all servers",
    ),
    _check(
        "ports/pods",
        "Between pods exactly the declared ports are open",
        pods,
        "packets between pods",
    ),
    _check(
        "li/isolation",
        "Exactly the named flows cross the border of LI",
        isolation,
        "packets in both directions across the border",
    ),
)
