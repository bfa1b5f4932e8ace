"""A rollout from end to end: what it writes, what it leaves alone, and what stops it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import jsonschema
import pytest
import yaml

from flows._run.screen import Advance, Screen
from model.report.outcome import Status
from model.rollout import lease
from remote.gates.gate import GateResult
from tests.flows.plumbing import ROOT
from tests.flows.rollout.stage import INVENTORY, Stage, by_name, good, outcomes, settings


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


def test_pods_that_no_row_speaks_of_stop_a_run_before_its_first_write(stage: Stage) -> None:
    path = stage.folder / "components.yaml"
    declared = yaml.safe_load(path.read_text("utf-8"))
    declared["components"][1] |= {"namespace": "space", "pods": {"nobodys": {}}}
    path.write_text(yaml.safe_dump(declared), "utf-8")
    code, report = stage.run()
    assert code == 1
    (refused,) = report["outcomes"]
    assert "no row speaks of the pods nobodys (one)" in refused["message"]
    assert "pod_from" in refused["next"]
    assert stage.api.written == []
    assert stage.run(components=("ground", "aside"))[0] == 0


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


def test_the_bar_counts_components_that_the_site_has_no_longer(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    totals: list[int] = []
    steps: list[int] = []

    @contextmanager
    def progress(_screen: object, total: int, _label: object, _below: object) -> Iterator[Advance]:
        totals.append(total)
        yield steps.append

    monkeypatch.setattr(Screen, "progress", progress)
    stage.run()
    stage.components(ground=(), one=("ground",))
    stage.run(prune=True)
    assert totals == [4, 4]
    assert sum(steps) == sum(totals)


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
    named = outcomes(report, "not_run")["features"].partition(":")[0]
    assert named == "turn, livekit, element_call, li, antivirus, monitoring, element_web, admin_ui"
    _, report = stage.run(dry_run=True)
    assert "features" in outcomes(report, "not_run")
    _, report = stage.run(components=("ground",))
    assert "features" not in outcomes(report, "not_run")
