"""Gates on schedule: faults count, what cannot be seen hides no proof, and nothing is tried before a rollout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows._compliance.sources import latest_gates
from flows._rollout.validate import ValidateRequest
from flows._run.folder import runs
from flows._run.lifecycle import run_flow
from flows._run.options import Options
from flows._schedule.gates import validate_scheduled
from flows.validate import main
from model.errors import SelectionError
from model.report.outcome import Status
from remote.gates.gate import GateContext, GateResult
from tests.flows.rollout.stage import SPACE, Stage, by_name, good


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Two components of a site with a schedule, rolled out with good gates; no store can be read from then on."""
    found = Stage(tmp_path, monkeypatch)
    path = found.folder / "site.yaml"
    settings = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(yaml.safe_dump({**settings, "compliance": {"schedule": {}, "keep_runs": 2}}), "utf-8")
    found.objects["ground"] = [SPACE]
    found.components(ground=(), one=("ground",))
    found.gates |= {"ground": good, "one": good}
    monkeypatch.setattr("flows._schedule.gates.assume", lambda _nr, _setting: None)
    return found


def run(stage: Stage) -> tuple[int, dict[str, Any]]:
    """Validate on schedule."""
    options = Options(inventory=stage.folder, quiet=True)
    code = run_flow("validate", options, lambda context: validate_scheduled(context, ValidateRequest()))
    return code, json.loads((runs(stage.folder, "validate")[-1] / "report.json").read_text("utf-8"))


def rolled_out(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Roll out, and take the key of the store away."""
    assert stage.run()[0] == 0
    monkeypatch.setenv("MATRIX_FLEET_IDENTITY", str(stage.folder / "nowhere"))


def test_before_a_rollout_nothing_is_tried(stage: Stage) -> None:
    stage.gates = dict.fromkeys(stage.gates, lambda _context: pytest.fail("was tried"))
    code, report = run(stage)
    assert code == 0
    assert {gate["status"] for gate in report["gates"]} == {"not_run"}
    assert latest_gates(stage.folder) == {}


def test_what_is_found_counts_and_replaces_what_a_rollout_saw(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    rolled_out(stage, monkeypatch)
    assert latest_gates(stage.folder)["one"].status == Status.OK
    stage.gates["one"] = lambda _context: GateResult(status=Status.DRIFT, why="leads nowhere", findings=("a", "b"))
    assert run(stage)[0] == 2
    assert latest_gates(stage.folder)["one"].findings == ("a", "b")


def test_what_it_cannot_see_is_not_run_and_leaves_an_older_proof_as_it_is(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asking(context: GateContext) -> GateResult:
        context.secret("redis", "password")
        return good(context)

    rolled_out(stage, monkeypatch)
    proven = latest_gates(stage.folder)
    stage.gates |= {"one": asking, "ground": lambda _context: GateResult(status=Status.UNPROVEN, why="nobody looked")}
    code, report = run(stage)
    gates = by_name(report, "gates")
    assert (code, gates["one"]["status"], gates["ground"]["status"]) == (0, "not_run", "not_run")
    assert gates["one"]["why"] == "the scheduled account may not read the secret redis"
    assert gates["ground"]["why"] == "not in full: nobody looked"
    assert latest_gates(stage.folder) == proven


def test_runs_on_schedule_go_when_they_are_many_and_push_no_proof_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled_out(stage, monkeypatch)
    monkeypatch.setattr("flows._compliance.sources._RUNS", 2)
    stage.gates = {name: (lambda _context: GateResult(status=Status.NOT_RUN, why="-")) for name in stage.gates}
    for _ in range(5):
        run(stage)
    # The one under way is not there yet when the oldest go.
    assert len(runs(stage.folder, "validate")) == 3
    assert latest_gates(stage.folder)["one"].status == Status.OK


def test_a_series_is_for_a_run_by_hand() -> None:
    with pytest.raises(SelectionError, match="sends no messages"):
        main(every=1.0, lasting=2.0, scheduled=True)
