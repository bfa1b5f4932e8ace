"""Gates of a rollout: when they are tried, when again, and what each of their answers comes to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from model.errors import FleetError
from model.report.outcome import Status
from model.rollout.inventory import from_manifest, proof
from remote.gates.gate import GateContext, GateResult
from tests.flows.rollout.stage import INVENTORY, Stage, by_name, good, outcomes, settings


def answer_for(stage: Stage, finding: str, expires: str) -> None:
    """Have somebody answer for a finding until a date."""
    waiver = {"id": finding, "reason": "r", "owner": "o", "expires": expires}
    path = stage.folder / "site.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text("utf-8")) | {"waivers": [waiver]}), "utf-8")


def test_a_gate_that_finds_something_ends_with_two_and_stops_what_needs_its_component(stage: Stage) -> None:
    stage.gates["one"] = lambda _context: GateResult(status=Status.DRIFT, why="two masters", findings=("two masters",))
    code, report = stage.run()
    assert code == 2
    assert {name: row["status"] for name, row in by_name(report).items()} == {
        "ground": "changed",
        "aside": "changed",
        "one": "failed",
        "two": "not_run",
    }


def test_somebody_can_answer_for_a_gate_that_nobody_can_try(stage: Stage) -> None:
    answer_for(stage, "two/gate/two", "2099-01-01")
    stage.gates["two"] = lambda _context: GateResult(status=Status.UNPROVEN, why="nobody looked from outside")
    code, report = stage.run()
    assert code == 0
    assert outcomes(report, "waived")["two/gate/two"].startswith("nobody looked from outside")
    gate = by_name(report, "gates")["two"]
    assert (gate["status"], gate["why"]) == ("unproven", "nobody looked from outside")
    assert "waived by o until 2099-01-01: r" in by_name(report)["two"]["why"]
    stage.gates["two"] = lambda _context: GateResult(status=Status.FAILED, why="no answer")
    assert stage.run()[0] == 3


@pytest.mark.parametrize(
    ("status", "expires", "code", "dependent"),
    [
        (Status.UNPROVEN, "2099-01-01", 0, "changed"),
        (Status.DRIFT, "2099-01-01", 0, "not_run"),
        (Status.FAILED, "2099-01-01", 3, "not_run"),
        (Status.UNPROVEN, "2020-01-01", 2, "not_run"),
    ],
)
def test_what_needs_a_gate_that_somebody_answers_for_goes_on(
    stage: Stage, status: Status, expires: str, code: int, dependent: str
) -> None:
    answer_for(stage, "one/gate/one", expires)
    stage.gates["one"] = lambda _context: GateResult(status=status, why="nobody looked")
    ended, report = stage.run()
    assert (ended, by_name(report)["two"]["status"]) == (code, dependent)
    assert "nobody looked" in by_name(report)["one"]["why"]


def test_what_nobody_can_see_and_somebody_answers_for_is_not_waited_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows._rollout.component_work.GATE_PATIENCE", 60.0)
    monkeypatch.setattr("flows._rollout.component_work._GATE_PAUSE", 0.01)
    answer_for(stage, "one/gate/one", "2099-01-01")
    answers = iter([Status.FAILED, Status.DRIFT, Status.UNPROVEN])
    stage.gates["one"] = lambda _context: GateResult(status=next(answers), why="not yet")
    code, report = stage.run()
    assert (code, by_name(report, "gates")["one"]["status"], list(answers)) == (0, "unproven", [])


def test_an_unproven_gate_is_not_good(stage: Stage) -> None:
    stage.gates["two"] = lambda _context: GateResult(status=Status.UNPROVEN, why="nothing was seen")
    code, report = stage.run()
    assert (code, by_name(report)["two"]["status"]) == (3, "unproven")


def test_a_gate_of_what_was_just_started_is_tried_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows._rollout.component_work.GATE_PATIENCE", 60.0)
    monkeypatch.setattr("flows._rollout.component_work._GATE_PAUSE", 0.01)
    seen: list[int] = []

    def settles(context: GateContext) -> GateResult:
        seen.append(1)
        return good(context) if len(seen) > 2 else GateResult(status=Status.DRIFT, why="two masters")

    stage.gates["one"] = settles
    assert stage.run()[0] == 0
    assert len(seen) == 3


def test_a_gate_without_a_program_is_not_run_and_says_why(stage: Stage) -> None:
    _, report = stage.run()
    gate = by_name(report, "gates")["one"]
    assert (gate["status"], gate["why"]) == ("not_run", "there is no program for this gate")
    assert by_name(report)["one"]["why"] == "the gate one was not tried: there is no program for this gate"


def test_a_gate_that_breaks_is_failed_and_says_where_but_not_what_it_was_given(stage: Stage) -> None:
    def broken(_context: GateContext) -> GateResult:
        raise ValueError("cannot read redis://:hunter2@redis")

    stage.gates["two"] = broken
    code, report = stage.run()
    why = by_name(report, "gates")["two"]["why"]
    assert code == 3
    assert why.startswith("unforeseen: ValueError at tests/flows/rollout/test_rollout_gates.py line ")
    texts = [path.read_text("utf-8") for path in (stage.folder / "reports").rglob("*") if path.is_file()]
    assert not [text for text in texts if "hunter2" in text]


def test_what_the_projects_own_errors_say_of_a_gate_is_kept(stage: Stage) -> None:
    def refused(_context: GateContext) -> GateResult:
        raise FleetError("no pod of redis is ready", "look at the pods")

    stage.gates["two"] = refused
    assert by_name(stage.run()[1], "gates")["two"]["why"] == "no pod of redis is ready"


def test_gates_of_what_did_not_change_are_not_tried_again(stage: Stage) -> None:
    stage.gates |= {"one": good, "two": good, "aside": good}
    stage.run()
    _, report = stage.run()
    assert by_name(report, "gates")["two"]["why"].startswith("proven at ")
    assert by_name(report)["two"]["why"] == ""
    _, report = stage.run(gates=True)
    assert by_name(report, "gates")["two"]["status"] == "ok"


def test_a_gate_whose_ground_was_repaired_is_tried_again_though_it_is_declared_as_before(stage: Stage) -> None:
    stage.components(ground=(), one=("ground",), two=("one",), three=("two",), aside=("ground",))
    stage.gates |= {"two": good, "three": good, "aside": good}
    stage.run()
    stage.api.put(settings("one", a="9"), "kubectl-edit")
    _, report = stage.run()
    assert by_name(report)["one"]["changed"] == 1
    assert {name: gate["status"] for name, gate in by_name(report, "gates").items() if name != "ground"} == {
        "one": "not_run",
        "two": "ok",
        "three": "ok",
        "aside": "not_run",
    }


def test_a_proof_that_is_older_than_a_week_is_tried_again(stage: Stage) -> None:
    stage.gates |= {"one": good, "two": good}
    stage.run()
    for name, age in (("one", timedelta(days=8)), ("two", timedelta(days=6))):
        kept = from_manifest(stage.api.get(f"{INVENTORY}{name}"))
        aged = {gate: proof(held.digest, datetime.now(UTC) - age) for gate, held in kept.proofs.items()}
        stage.api.put(replace(kept, proofs=aged).to_manifest(), "matrix-fleet")
    gates = by_name(stage.run()[1], "gates")
    assert (gates["one"]["status"], gates["two"]["status"]) == ("ok", "not_run")
    assert by_name(stage.run()[1], "gates")["one"]["status"] == "not_run"


def test_a_change_of_what_a_component_stands_on_has_its_gate_tried_again(stage: Stage) -> None:
    stage.gates |= {"one": good, "two": good, "aside": good}
    stage.run()
    stage.objects["one"] = [settings("one", a="2")]
    _, report = stage.run()
    gates = by_name(report, "gates")
    assert (gates["two"]["status"], gates["aside"]["status"]) == ("ok", "not_run")
