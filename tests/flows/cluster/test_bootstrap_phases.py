"""Bootstrap says which phase of how many it is in, on screen, as events and in its journal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows._cluster.bootstrap import _run
from flows._cluster.cluster_run import Phase
from flows._run.context import Context
from flows._run.events import Events
from flows._run.journal import Journal
from flows._run.options import Options
from flows._run.screen import Screen
from model.errors import HostError
from model.report.outcome import Outcome, Status
from tests.mutation import loaded


@pytest.fixture
def cluster_run(tmp_path: Path) -> Any:
    """A run over one host, whose events are in a file."""
    options = Options(inventory=tmp_path, events=str(tmp_path / "events"))
    events = Events("bootstrap", "run", {})
    events.open(options)
    screen = Screen(options)
    screen.listeners.append(events.message)
    context = Context(
        site=loaded(),
        options=options,
        hosts=("w-1",),
        started=datetime.now(UTC),
        screen=screen,
        kept=[],
        events=events,
    )
    yield SimpleNamespace(
        context=context,
        site=context.site,
        journal=Journal(tmp_path, "bootstrap", dry_run=False),
        names=("w-1",),
        hosts=("w-1",),
        dry_run=False,
        look=lambda: (),
        lock=lambda _who: None,
    )
    events.close()


def _events(cluster_run: Any) -> list[dict[str, Any]]:
    path = Path(cluster_run.context.options.events)
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _phase(name: str, status: Status, *, vital: bool = False) -> Phase:
    return Phase(name, f"Do {name}", lambda _work: (Outcome("w-1", name, status),), vital=vital)


def test_phases_are_counted_and_timed(cluster_run: Any) -> None:
    seconds = _run(cluster_run, (_phase("os", Status.CHANGED), _phase("runtime", Status.OK)))
    lines = [event["text"] for event in _events(cluster_run) if event["event"] == "message"]
    assert "phase 1 of 2: os: Do os" in lines
    assert "phase 2 of 2: runtime: Do runtime (0 s so far)" in lines
    phases = [event for event in _events(cluster_run) if event["event"].startswith("phase-")]
    assert [(event["event"], event["phase"]) for event in phases] == [
        ("phase-begun", "os"),
        ("phase-ended", "os"),
        ("phase-begun", "runtime"),
        ("phase-ended", "runtime"),
    ]
    assert phases[1]["outcomes"] == {"changed": 1}
    assert [phase["phase"] for phase in seconds] == ["os", "runtime"]
    assert cluster_run.journal.cut_short() == ""


def test_what_stops_a_run_ends_its_phase_and_begins_no_other(cluster_run: Any) -> None:
    _run(cluster_run, (_phase("init", Status.FAILED, vital=True), _phase("workers", Status.OK)))
    assert [event["phase"] for event in _events(cluster_run) if event["event"] == "phase-begun"] == ["init"]
    assert cluster_run.journal.cut_short() == ""


def test_an_error_leaves_its_phase_open(cluster_run: Any) -> None:
    def fails(_work: Any) -> tuple[Outcome, ...]:
        raise HostError("w-1", "gone")

    with pytest.raises(HostError):
        _run(cluster_run, (Phase("os", "Do os", fails),))
    assert [event["event"] for event in _events(cluster_run) if event["event"].startswith("phase-")] == ["phase-begun"]
    assert cluster_run.journal.cut_short() == "os"
