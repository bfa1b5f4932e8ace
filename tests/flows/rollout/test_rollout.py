"""A rollout from end to end: what it writes, what it leaves alone, and what every failure looks like."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml

from flows._run.screen import Advance, Screen
from model.errors import FleetError
from model.report.outcome import Status
from model.rollout import lease
from model.rollout.inventory import from_manifest, proof
from remote.api_endpoint import ApiRequest
from remote.gates.gate import GateContext, GateResult
from tests.flows.plumbing import ROOT
from tests.flows.rollout.stage import SPACE, Stage, by_name, good, outcomes, settings
from tests.remote.memory_api import Refusal

INVENTORY = "/api/v1/namespaces/matrix-fleet/configmaps/matrix-fleet-inventory-"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    found = Stage(tmp_path, monkeypatch)
    found.objects["ground"] = [SPACE]
    found.components(ground=(), one=("ground",), two=("one",), aside=("ground",))
    return found


def test_the_first_run_makes_everything_and_the_second_changes_nothing(stage: Stage) -> None:
    code, report = stage.run()
    assert code == 0
    assert {row["status"] for row in report["components"]} == {"changed"}
    stage.api.written.clear()
    versions = {key: stored.document["metadata"]["resourceVersion"] for key, stored in stage.api.objects.items()}
    code, report = stage.run()
    assert code == 0
    assert {row["status"] for row in report["components"]} == {"ok"}
    now = {key: stored.document["metadata"]["resourceVersion"] for key, stored in stage.api.objects.items()}
    assert {key for key in now if versions.get(key) != now[key]} == {
        ("coordination.k8s.io/v1", "leases", "kube-system", lease.NAME)
    }


def test_the_report_is_as_its_schema_says(stage: Stage) -> None:
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
    stage.gates["one"] = good
    _, report = stage.run()
    jsonschema.validate(report, schema)
    assert by_name(report, "gates")["one"]["status"] == "ok"
    assert outcomes(report, "changed")["one/ConfigMap/space/one"] == "created"


def test_a_dry_run_writes_nothing_and_tells_what_would_change(stage: Stage) -> None:
    code, report = stage.run(dry_run=True)
    assert code == 2
    assert stage.api.written == []
    assert not list(stage.folder.glob("secrets/*"))
    assert "two/ConfigMap/space/two" in outcomes(report, "drift")


def test_a_failed_component_stops_those_that_need_it_and_nothing_else(stage: Stage) -> None:
    stage.gates["one"] = lambda _context: GateResult(status=Status.FAILED, why="nobody answers")
    code, report = stage.run()
    assert code == 3
    found = by_name(report)
    assert (found["one"]["status"], found["two"]["status"], found["aside"]["status"]) == (
        "failed",
        "not_run",
        "changed",
    )
    assert "nobody answers" in found["one"]["why"]
    assert found["two"]["why"] == "needs one, which is not good"
    assert "/api/v1/namespaces/space/configmaps/two" not in " ".join(stage.api.written)


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
    waiver = {"id": "two/gate/two", "reason": "r", "owner": "o", "expires": "2099-01-01"}
    path = stage.folder / "site.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text("utf-8")) | {"waivers": [waiver]}), "utf-8")
    stage.gates["two"] = lambda _context: GateResult(status=Status.UNPROVEN, why="nobody looked from outside")
    code, report = stage.run()
    assert code == 0
    assert outcomes(report, "waived")["two/gate/two"].startswith("nobody looked from outside")
    stage.gates["two"] = lambda _context: GateResult(status=Status.FAILED, why="no answer")
    assert stage.run()[0] == 3


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
    assert why.startswith("unforeseen: ValueError at tests/flows/rollout/test_rollout.py line ")
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


def test_the_bar_counts_components_that_the_site_has_no_longer(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    totals: list[int] = []
    steps: list[int] = []

    @contextmanager
    def progress(_screen: object, total: int, _label: object) -> Iterator[Advance]:
        totals.append(total)
        yield steps.append

    monkeypatch.setattr(Screen, "progress", progress)
    stage.run()
    stage.components(ground=(), one=("ground",))
    stage.run(prune=True)
    assert totals == [4, 4]
    assert sum(steps) == sum(totals)


def test_a_change_of_what_a_component_stands_on_has_its_gate_tried_again(stage: Stage) -> None:
    stage.gates |= {"one": good, "two": good, "aside": good}
    stage.run()
    stage.objects["one"] = [settings("one", a="2")]
    _, report = stage.run()
    gates = by_name(report, "gates")
    assert (gates["two"]["status"], gates["aside"]["status"]) == ("ok", "not_run")


def test_what_was_edited_by_hand_is_told_and_set_back(stage: Stage) -> None:
    stage.run()
    stage.api.put(settings("one", a="9"), "kubectl-edit")
    code, report = stage.run(dry_run=True)
    drift = outcomes(report, "drift")
    assert (code, list(drift)) == (2, ["one/ConfigMap/space/one"])
    assert ".data.a was set by kubectl-edit" in drift["one/ConfigMap/space/one"]
    stage.run()
    assert stage.api.get("/api/v1/namespaces/space/configmaps/one")["data"] == {"a": "1"}


def test_what_a_controller_holds_is_named_and_left(stage: Stage) -> None:
    stage.run()
    stage.api.put(settings("one", a="9"), "kube-controller-manager")
    stage.objects["one"] = [settings("one", a="1", b="2")]
    code, report = stage.run()
    assert code == 0
    assert "held by kube-controller-manager: left" in outcomes(report, "changed")["one/ConfigMap/space/one"]
    assert stage.api.get("/api/v1/namespaces/space/configmaps/one")["data"] == {"a": "9", "b": "2"}


def test_a_deleted_object_comes_back(stage: Stage) -> None:
    stage.run()
    stage.api.take("/api/v1/namespaces/space/configmaps/one")
    code, report = stage.run(dry_run=True)
    assert (code, outcomes(report, "drift")) == (2, {"one/ConfigMap/space/one": "would be created"})
    assert stage.run()[0] == 0
    assert stage.api.get("/api/v1/namespaces/space/configmaps/one")["data"] == {"a": "1"}


def test_objects_of_others_stop_the_first_rollout_until_they_are_adopted(stage: Stage) -> None:
    stage.run(components=("ground",))
    stage.api.put(settings("two", a="theirs"), "helm")
    stage.api.written.clear()
    code, report = stage.run()
    assert code == 1
    assert outcomes(report, "drift") == {"two/ConfigMap/space/two": "it exists, and belongs to helm"}
    assert not [path for path in stage.api.written if "leases" not in path]
    assert stage.run(adopt=True)[0] == 0
    assert stage.api.get("/api/v1/namespaces/space/configmaps/two")["data"] == {"a": "1"}


def test_what_cannot_be_changed_in_place_is_only_made_anew_where_it_is_named(stage: Stage) -> None:
    stage.run()
    immutable = [{"reason": "FieldValueInvalid", "field": "data", "message": "field is immutable when set"}]

    def refuse(request: object, body: dict[str, object]) -> None:
        there = ("v1", "configmaps", "space", "one") in stage.api.objects
        if "PATCH" in str(request) and str(request).endswith("/space/configmaps/one") and there:
            raise Refusal(422, "Invalid", "data: field is immutable when set", immutable)

    stage.api.before = refuse
    stage.objects["one"] = [settings("one", a="2")]
    stage.api.written.clear()
    code, report = stage.run()
    assert code == 1
    assert "data cannot be changed in place" in outcomes(report, "drift")["one/ConfigMap/space/one"]
    assert not [path for path in stage.api.written if "leases" not in path]
    code, report = stage.run(recreate=frozenset({"ConfigMap/one"}))
    assert (code, by_name(report)["one"]["replaced"]) == (0, 1)
    assert stage.api.get("/api/v1/namespaces/space/configmaps/one")["data"] == {"a": "2"}


def test_a_name_to_recreate_that_the_plan_does_not_have_is_refused_before_anything_is_written(stage: Stage) -> None:
    code, report = stage.run(recreate=frozenset({"one", "ConfigMap/won"}))
    (refused,) = outcomes(report, "failed").values()
    assert (code, refused) == (1, "--recreate ConfigMap/won: nothing in this plan is called so")
    assert not [path for path in stage.api.written if "leases" not in path]


def test_what_the_server_rejects_fails_its_component_and_names_the_reason(stage: Stage) -> None:
    def refuse(request: object, _body: object) -> None:
        if str(request).startswith("PATCH") and str(request).endswith("/configmaps/one"):
            raise Refusal(403, "Forbidden", "exceeded quota: ceiling, requested: pods=1")

    stage.objects["two"] = [settings("two")]
    stage.run(components=("ground",))
    stage.api.before = refuse
    code, report = stage.run()
    found = by_name(report)
    assert code == 3
    assert "exceeded quota: ceiling" in found["one"]["why"]
    assert (found["two"]["status"], found["aside"]["status"]) == ("not_run", "changed")


def test_what_the_server_takes_in_a_plan_and_not_in_earnest_is_named_by_its_object(stage: Stage) -> None:
    stage.objects["one"] = [settings("good"), settings("odd")]

    def refuse(request: ApiRequest, _body: dict[str, object]) -> None:
        if request.path.endswith("/odd") and request.method == "PATCH" and ("dryRun", "All") not in request.query:
            raise Refusal(422, "Invalid", "data: Forbidden: no such key")

    stage.api.before = refuse
    code, report = stage.run()
    failed = outcomes(report, "failed")
    assert code == 3
    assert list(failed) == ["one/ConfigMap/space/odd"]
    assert "no such key" in failed["one/ConfigMap/space/odd"]
    assert "one/ConfigMap/space/good" in outcomes(report, "changed")
    assert by_name(report)["two"]["status"] == "not_run"


def test_a_kind_that_nobody_brings_is_named(stage: Stage) -> None:
    thing = {"apiVersion": "x.test/v1", "kind": "Thing", "metadata": {"name": "t", "namespace": "space"}}
    stage.objects["one"] = [thing]
    code, report = stage.run()
    assert code == 3
    assert "knows no kind Thing of x.test/v1, and no component brings it" in by_name(report)["one"]["why"]


def test_a_kind_that_another_component_brings_is_planned_and_waited_for(stage: Stage) -> None:
    names = {"kind": "Thing", "plural": "things"}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.x.test"},
        "spec": {"group": "x.test", "names": names},
    }
    thing = {"apiVersion": "x.test/v1", "kind": "Thing", "metadata": {"name": "t", "namespace": "space"}}
    stage.objects["one"], stage.objects["two"] = [definition], [thing]
    ready = stage.api.become

    def become(document: dict[str, object]) -> None:
        ready(document)
        if document["kind"] == "CustomResourceDefinition":
            stage.api.kinds["x.test/v1"] = {"Thing": ("things", True)}

    stage.api.become = become
    code, report = stage.run(dry_run=True)
    assert "its kind is not in the cluster yet" in outcomes(report, "drift")["two/Thing/space/t"]
    assert code == 2
    assert stage.run()[0] == 0
    assert stage.api.get("/apis/x.test/v1/namespaces/space/things/t")["kind"] == "Thing"


def test_no_pod_begins_before_the_database_that_comes_with_it_is_made(stage: Stage) -> None:
    stage.api.kinds["postgresql.cnpg.io/v1"] = {"Database": ("databases", True)}
    database = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Database", "metadata": settings("own")["metadata"]}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": settings("reader")["metadata"],
        "spec": {"replicas": 1, "template": {"spec": {"containers": []}}},
    }
    stage.objects["ground"] = [SPACE, database, deployment]
    stage.components(ground=())
    seen: list[str] = []

    def look(request: ApiRequest, _body: dict[str, object]) -> None:
        if ("dryRun", "All") not in request.query:
            seen.append(f"{request.method} {request.path.rpartition('/')[2]}")
        # The operator has made it when somebody looks for the second time.
        if seen.count("GET databases") == 2:
            made = {"observedGeneration": 1, "applied": True}
            stage.api.objects["postgresql.cnpg.io/v1", "databases", "space", "own"].document["status"] = made

    stage.api.before = look
    code, report = stage.run()
    assert (code, by_name(report)["ground"]["status"]) == (0, "changed"), report["outcomes"]
    looks = [place for place, line in enumerate(seen) if line == "GET databases"]
    assert seen.index("PATCH own") < looks[1] < seen.index("PATCH reader")


def test_pruning_deletes_what_was_brought_and_is_rendered_no_longer(stage: Stage) -> None:
    stage.objects["one"] = [settings("one"), settings("extra")]
    stage.run()
    stage.objects["one"] = [settings("one")]
    code, report = stage.run()
    assert code == 0
    assert "`--prune` deletes it" in outcomes(report, "ok")["one/ConfigMap/space/extra"]
    code, report = stage.run(prune=True, dry_run=True)
    assert (code, list(outcomes(report, "drift"))) == (2, ["one/ConfigMap/space/extra"])
    code, report = stage.run(prune=True)
    assert (code, by_name(report)["one"]["pruned"]) == (0, 1)
    assert ("v1", "configmaps", "space", "extra") not in stage.api.objects


def test_volumes_secrets_and_namespaces_are_never_pruned_unless_named(stage: Stage) -> None:
    claim = settings("data") | {"kind": "PersistentVolumeClaim", "spec": {}, "status": {"phase": "Bound"}}
    stage.objects["one"] = [settings("one"), claim]
    assert stage.run()[0] == 0
    stage.objects["one"] = [settings("one")]
    stage.run(prune=True)
    assert ("v1", "persistentvolumeclaims", "space", "data") in stage.api.objects
    stage.run(prune=True, recreate=frozenset({"PersistentVolumeClaim/space/data"}))
    assert ("v1", "persistentvolumeclaims", "space", "data") not in stage.api.objects


def test_a_component_that_the_site_has_no_longer_is_pruned_whole(stage: Stage) -> None:
    stage.run()
    stage.components(ground=(), one=("ground",))
    code, report = stage.run(prune=True)
    assert code == 0
    assert by_name(report)["two"]["pruned"] == 1
    assert ("v1", "configmaps", "space", "two") not in stage.api.objects
    assert ("v1", "configmaps", "matrix-fleet", "matrix-fleet-inventory-two") not in stage.api.objects


def test_an_object_that_moved_to_another_component_is_not_pruned(stage: Stage) -> None:
    stage.objects["one"] = [settings("one"), settings("moved")]
    stage.run()
    stage.objects["one"], stage.objects["two"] = [settings("one")], [settings("two"), settings("moved")]
    assert stage.run(prune=True)[0] == 0
    assert ("v1", "configmaps", "space", "moved") in stage.api.objects


def test_two_runs_exclude_each_other(stage: Stage) -> None:
    held = lease.held("somebody@elsewhere process 7 (1)", datetime.now(UTC))
    stage.api.put(held, "matrix-fleet")
    code, report = stage.run()
    assert code == 1
    assert "somebody@elsewhere process 7 (1) is rolling out on this cluster" in report["outcomes"][0]["message"]
    assert not [path for path in stage.api.written if "configmaps" in path]


def test_a_run_that_was_cut_short_leaves_an_inventory_of_what_it_began(stage: Stage) -> None:
    def cut(request: object, _body: object) -> None:
        what = str(request)
        is_one = what.startswith("PATCH") and what.endswith("/space/configmaps/one")
        if is_one and cut.armed:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    cut.armed = False  # type: ignore[attr-defined]
    stage.run(components=("ground",))
    stage.api.before = cut
    first = stage.api.become

    def arm(document: dict[str, object]) -> None:
        first(document)
        cut.armed = cut.armed or "inventory-one" in str(document["metadata"])  # type: ignore[attr-defined]

    stage.api.become = arm
    code, _ = stage.run()
    assert code == 130
    assert "one" in stage.api.get(f"{INVENTORY}one")["data"]["objects"]
    stage.api.before = lambda _request, _body: None
    stage.api.become = first
    code, report = stage.run()
    assert code == 0
    assert by_name(report)["two"]["status"] == "changed"


def test_a_secret_reaches_its_object_and_no_text(stage: Stage) -> None:
    stage.objects["one"] = [
        settings("one") | {"kind": "Secret", "stringData": {"password": "@@secret:redis/password@@"}, "data": {}}
    ]
    _, report = stage.run()
    held = stage.api.get("/api/v1/namespaces/space/secrets/one")
    assert "stringData" not in held
    value = held["data"]["password"]
    assert value
    assert value not in json.dumps(report)
    texts = [path.read_text("utf-8") for path in (stage.folder / "reports").rglob("*") if path.is_file()]
    assert not [text for text in texts if value in text]


def test_a_secret_outside_of_a_secret_is_refused_before_anything_is_connected_to(stage: Stage) -> None:
    stage.objects["one"] = [settings("one", password="@@secret:redis/password@@")]
    code, report = stage.run()
    assert code == 1
    assert "would hold the secret redis/password in clear" in report["outcomes"][0]["message"]
    assert stage.api.asked == []


def test_an_unknown_component_is_refused(stage: Stage) -> None:
    code, report = stage.run(components=("ground", "tow"))
    assert code == 1
    assert "did you mean two?" in report["outcomes"][0]["message"]
    assert report["outcomes"][0]["next"] == "the site's components: ground, one, two, aside"


def test_a_phase_without_components_is_refused_with_those_that_have_some(stage: Stage) -> None:
    code, report = stage.run(phase=4)
    assert code == 1
    assert report["outcomes"][0]["next"] == "phases that have components: 1"


def test_features_that_nothing_deploys_are_named_by_a_rollout_of_everything(stage: Stage) -> None:
    _, report = stage.run()
    assert outcomes(report, "not_run")["features"].startswith("turn, livekit, element_call, li, antivirus, monitoring:")
    _, report = stage.run(dry_run=True)
    assert "features" in outcomes(report, "not_run")
    _, report = stage.run(components=("ground",))
    assert "features" not in outcomes(report, "not_run")
