"""Objects of a rollout: whose they are, when they are made anew, what the server refuses, and what is pruned."""

from __future__ import annotations

import pytest

from remote.api_endpoint import ApiRequest
from tests.flows.rollout.stage import SPACE, Stage, by_name, outcomes, settings
from tests.remote.memory_api import Manifest, MemoryApi, Refusal, Stored


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


def test_what_another_program_set_beside_ours_is_told_and_left(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.run()
    shown = MemoryApi._shown

    def with_fields(api: MemoryApi, stored: Stored) -> Manifest:
        found = shown(api, stored)
        if found["metadata"]["name"] == "one":
            found["metadata"]["managedFields"] += [entry("terraform"), entry("kubelet"), entry("me", "status")]
        return found

    def entry(manager: str, subresource: str = "") -> Manifest:
        fields: Manifest = {"f:metadata": {"f:labels": {"f:colour": {}}}}
        return {"manager": manager, "operation": "Update", "subresource": subresource, "fieldsV1": fields}

    monkeypatch.setattr(MemoryApi, "_shown", with_fields)
    code, report = stage.run()
    told = {row["subject"]: row for row in report["outcomes"] if "not ours" in row["message"]}
    assert (code, list(told)) == (0, ["one/ConfigMap/space/one"])
    words = "as declared; terraform set .metadata.labels.colour: not ours, left as it is"
    assert told["one/ConfigMap/space/one"]["message"] == words


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


def test_what_holds_data_is_not_made_anew_by_its_components_name(stage: Stage) -> None:
    claim = settings("data") | {"kind": "PersistentVolumeClaim", "spec": {"size": "2"}, "status": {"phase": "Bound"}}
    stage.objects["one"] = [settings("one", a="1"), claim]
    assert stage.run()[0] == 0
    places = {"one": ("v1", "configmaps", "space", "one"), "data": ("v1", "persistentvolumeclaims", "space", "data")}

    def refuse(request: ApiRequest, _body: object) -> None:
        name = request.path.rpartition("/")[2]
        if request.method == "PATCH" and places.get(name) in stage.api.objects:
            causes = [{"reason": "FieldValueInvalid", "field": "spec", "message": "field is immutable when set"}]
            raise Refusal(422, "Invalid", "spec: field is immutable when set", causes)

    stage.api.before = refuse
    stage.objects["one"] = [settings("one", a="2"), claim | {"spec": {"size": "1"}}]
    stage.api.written.clear()
    before = stage.api.objects[places["data"]].document["metadata"]["uid"]
    code, report = stage.run(recreate=frozenset({"one"}))
    (refused,) = [row for row in report["outcomes"] if row["subject"] == "one/PersistentVolumeClaim/space/data"]
    assert (code, refused["status"]) == (1, "drift")
    assert "`--recreate one` does not mean what holds data" in refused["message"]
    assert refused["next"].startswith("`--recreate PersistentVolumeClaim/space/data` deletes it")
    assert not [path for path in stage.api.written if "leases" not in path]
    code, report = stage.run(recreate=frozenset({"one", "PersistentVolumeClaim/space/data"}))
    assert (code, by_name(report)["one"]["replaced"]) == (0, 2)
    assert stage.api.objects[places["data"]].document["metadata"]["uid"] != before


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
