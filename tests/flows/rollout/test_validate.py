"""Every gate again: each is in the report, whatever it does, and nothing in the cluster changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows._rollout.validate import ValidateRequest, validate
from flows._run.folder import runs
from flows._run.lifecycle import run_flow
from flows._run.options import Options
from flows.validate import main
from model.errors import SelectionError
from model.report.outcome import Status
from model.rollout.gates import SITE_GATES
from remote.gates.gate import GateContext, GateResult
from tests.flows.rollout.stage import SPACE, Stage, by_name, good


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    found = Stage(tmp_path, monkeypatch)
    found.objects["ground"] = [SPACE]
    found.components(ground=(), one=("ground",))
    found.run()
    found.api.written.clear()
    return found


def run(stage: Stage, **asked: Any) -> tuple[int, dict[str, Any]]:
    options = Options(inventory=stage.folder, quiet=True)
    code = run_flow("validate", options, lambda context: validate(context, ValidateRequest(**asked)))
    return code, json.loads((runs(stage.folder, "validate")[-1] / "report.json").read_text("utf-8"))


def test_every_gate_is_tried_and_reported(stage: Stage) -> None:
    stage.gates |= {"ground": good, "one": good}
    code, report = run(stage)
    gates = by_name(report, "gates")
    assert code == 0
    assert list(gates) == ["ground", "one", *SITE_GATES]
    assert (gates["one"]["status"], gates["dns"]["status"]) == ("ok", "not_run")
    assert stage.api.written == []


def test_a_gate_that_fails_is_the_exit_code_and_the_others_are_tried(stage: Stage) -> None:
    stage.gates |= {
        "ground": lambda _context: GateResult(status=Status.FAILED, why="nobody answers", findings=("w-1: refused",)),
        "one": good,
    }
    code, report = run(stage)
    gates = by_name(report, "gates")
    assert (code, gates["ground"]["findings"], gates["one"]["status"]) == (3, ["w-1: refused"], "ok")


def test_words_of_a_series_reach_the_gate(stage: Stage) -> None:
    seen: dict[str, float] = {}

    def series(context: GateContext) -> GateResult:
        seen.update(context.options)
        return GateResult(status=Status.OK, why="a series", figures={"sent": 3, "gap_max_s": 0.5})

    stage.gates["one"] = series
    _, report = run(stage, gates=("one",), options={"every": 0.5, "for": 2.0})
    assert seen == {"every": 0.5, "for": 2.0}
    assert by_name(report, "gates")["one"]["figures"] == {"sent": 3, "gap_max_s": 0.5}


def test_a_series_that_was_interrupted_is_reported_and_the_gates_after_it_are_named(stage: Stage) -> None:
    cut = GateResult(status=Status.OK, why="a series; interrupted after 2 s", figures={"sent": 4}, interrupted=True)
    stage.gates |= {"ground": lambda _context: cut, "one": good}
    code, report = run(stage)
    gates = by_name(report, "gates")
    assert (code, report["good"]) == (130, False)
    assert (gates["ground"]["status"], gates["ground"]["figures"]) == ("ok", {"sent": 4})
    left = {name: gate["why"] for name, gate in gates.items() if name != "ground"}
    assert set(left) == {"one", *SITE_GATES}
    assert set(left.values()) == {"interrupted before it, at ground"}
    assert {gates[name]["status"] for name in left} == {"not_run"}


def test_without_the_key_of_the_store_gates_that_need_no_secret_are_tried_and_the_others_are_unproven(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def asking(context: GateContext) -> GateResult:
        context.secret("redis", "password")
        return good(context)

    stage.gates |= {"ground": good, "one": asking}
    monkeypatch.setenv("MATRIX_FLEET_IDENTITY", str(tmp_path / "nowhere"))
    code, report = run(stage)
    gates = by_name(report, "gates")
    assert (code, gates["ground"]["status"], gates["one"]["status"]) == (3, "ok", "unproven")
    assert gates["one"]["why"].startswith("the store of secrets cannot be read here: ")


def test_an_unknown_gate_is_refused(stage: Stage) -> None:
    code, report = run(stage, gates=("ones",))
    assert code == 1
    assert "did you mean one?" in report["outcomes"][0]["message"]
    assert report["outcomes"][0]["next"].startswith("the site's gates: ")


def test_how_often_without_how_long_is_refused() -> None:
    with pytest.raises(SelectionError, match="belong together"):
        main(every=1.0)
