"""The proof of the ports on the way of a bootstrap: what is bad is told there, with its next step."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from flows._cluster.cluster_run import ClusterRun
from flows._cluster.phases import ports
from flows._run.context import FlowResult
from model.report.outcome import Outcome, Status
from model.report.report import Cell
from model.report.words import CellVerdict, Culprit, Plane, PortState


def _cell(port: int, verdict: CellVerdict, culprit: Culprit) -> Cell:
    return Cell(
        source="coredns@w-1",
        destination="w-1",
        address="10.20.1.21",
        protocol="tcp",
        port_lo=port,
        port_hi=port,
        plane=Plane.POD,
        expected=PortState.OPEN,
        seen=PortState.CLOSED if verdict == CellVerdict.VIOLATION else PortState.OPEN,
        verdict=verdict,
        culprit=culprit,
        rows=("https",),
    )


@pytest.mark.parametrize("limit", [None, "w-1"])
def test_cells_that_are_bad_are_told_with_their_next_step(monkeypatch: pytest.MonkeyPatch, limit: str | None) -> None:
    bad = _cell(443, CellVerdict.VIOLATION, Culprit.DESTINATION_FIREWALL)
    good = _cell(80, CellVerdict.OK, Culprit.NONE)
    summed = Outcome("w-1", "ports", Status.DRIFT, "cells this host answers for: 1 ok, 1 violation")
    proven = FlowResult((summed,), cells=(good, bad), probes=2)
    monkeypatch.setattr(ports, "verify", lambda *_: proven)
    lines: list[str] = []
    context: Any = SimpleNamespace(say=lines.append, options=SimpleNamespace(limit=limit))
    run = cast(ClusterRun, SimpleNamespace(nr=None, context=context, proof=[]))
    first, story = ports.proof(run, "auto")
    assert first is summed
    assert (story.host, story.status) == ("controller", Status.DRIFT)
    assert "443/tcp" in story.message
    assert "w-1" in story.message
    assert "destination-firewall" in story.message
    assert "flows.firewall --dry-run --limit w-1" in story.next
    assert lines == ["2 probes: 1 ok, 1 violation cells"]
    assert bool(run.proof) is (limit is None)
