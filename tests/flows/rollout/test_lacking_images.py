"""A missing image is told container by container, and nothing of what needs it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows._rollout.rollout import rollout
from flows._rollout.run import RolloutRequest
from flows._run.lifecycle import run_flow
from flows._run.options import Options
from model.bundle.bundle import IMAGES, load_bundle
from tests.flows.rollout.stage import SPACE, Stage, by_name, outcomes, settings
from tests.mutation import loaded
from tests.remote.memory_api import Manifest
from tests.tasks.containerd import FakeContainerd
from tests.tasks.local import here

DIGEST = f"sha256:{'a' * 64}"
REDIS, HAPROXY = (f"{loaded().images[name].name}:{loaded().images[name].tag}" for name in ("redis", "haproxy"))


def _pods(kind: str, name: str, **images: str) -> Manifest:
    labels = {"app": name}
    containers = [{"name": called, "image": image} for called, image in images.items()]
    # One node alone: all nodes of a test share one containerd.
    pod = {"nodeSelector": {"kubernetes.io/hostname": "w-2"}, "containers": containers}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return {**settings(name), "apiVersion": "apps/v1", "kind": kind, "spec": spec}


def _bundle(stage: Stage, *images: str) -> Path:
    folder = stage.folder / "bundle"
    folder.mkdir()
    (folder / "x").touch()
    names = [*(f"registry.k8s.io/{name}:1" for name in IMAGES), *images]
    rows = []
    for number, name in enumerate(names):
        (folder / str(number)).touch()
        entry = {"name": name.rpartition(":")[0], "version": name.rpartition(":")[2], "file": str(number), "size": 0}
        more = {"sha256": "0" * 64, "needed": "application", "kind": "image", "digest": DIGEST}
        rows.append(entry | more)
    head = {"schema": "matrix-fleet/bundle/1", "name": "trial", "kubernetes": "1.36.3", "architecture": "amd64"}
    (folder / "bundle.json").write_text(json.dumps({**head, "suites": ["bookworm"], "items": rows}), "utf-8")
    assert load_bundle(folder)
    path = stage.folder / "site.yaml"
    known = yaml.safe_load(path.read_text("utf-8"))
    known["kubernetes"]["bundle"] = "bundle"
    path.write_text(yaml.safe_dump(known), "utf-8")
    return folder


def _failed(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in report["outcomes"] if row["status"] == "failed" and row["evidence"]]


@pytest.fixture
def bare(stage: Stage) -> Stage:
    """Redis by the project's own templates, which needs the ground; `one` needs Redis and `aside` does not."""
    stage.objects["ground"] = [SPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "matrix"}}]
    stage.components(ground=(), redis=("ground",), one=("redis",), two=("one",), aside=("ground",))
    stage.real = frozenset({"redis"})
    path = stage.folder / "components.yaml"
    known = yaml.safe_load(path.read_text("utf-8"))
    known["components"][1] |= {"namespace": "matrix", "pods": {"redis": {}, "redis-sentinel": {}}}
    path.write_text(yaml.safe_dump(known), "utf-8")
    return stage


def test_what_the_bundle_lacks_is_told_by_object_container_image_place_and_command(bare: Stage) -> None:
    folder = _bundle(bare)
    code, report = bare.run()
    assert code == 3
    assert {
        (row["evidence"]["kind"], row["evidence"]["namespace"], row["evidence"]["name"]) for row in _failed(report)
    } == {
        ("StatefulSet", "matrix", "redis"),
        ("StatefulSet", "matrix", "redis-sentinel"),
    }
    for row in _failed(report):
        assert row["evidence"]["image"] == REDIS
        assert row["evidence"]["container"] == row["evidence"]["name"].removeprefix("redis-")
        assert row["evidence"]["looked_for"][0] == f"the bundle {folder}: not in it"
        for words in (f"container {row['evidence']['container']}: ", REDIS, str(folder)):
            assert words in row["message"]
        assert f"python -m flows.bundle download --inventory {bare.folder} --output {folder}" in row["next"]


def test_nothing_is_connected_to_and_who_needs_it_is_listed_as_not_begun(bare: Stage) -> None:
    _bundle(bare)
    _, report = bare.run()
    assert (bare.api.asked, list(bare.folder.glob("secrets/*"))) == ([], [])
    found = by_name(report)
    assert {name: row["status"] for name, row in found.items()} == {"redis": "failed"} | dict.fromkeys(
        ("ground", "one", "two", "aside"), "not_run"
    )
    assert f"missing: {REDIS}" in found["redis"]["why"]
    told = outcomes(report, "not_run")
    for name in ("one", "two"):
        assert told[name] == found[name]["why"] == "not begun: needs redis, whose images are missing"
    for name in ("ground", "aside"):
        assert told[name] == "not begun: the run ended before its first write, since images are missing"


def test_who_wants_to_prune_is_told_of_the_same_images(bare: Stage) -> None:
    _bundle(bare)
    code, report = bare.run(prune=True)
    assert (code, {row["evidence"]["image"] for row in _failed(report)}) == (3, {REDIS})


def test_a_person_reads_all_of_it(bare: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _bundle(bare)
    options = Options(inventory=bare.folder)
    run_flow("rollout", options, lambda context: rollout(context, RolloutRequest()), changes=True)
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        f"redis/StatefulSet/matrix/redis-sentinel: container sentinel: no image {REDIS}",
        f"the bundle {folder}: not in it",
        "next: copy inventory/images.yaml into the site's folder, then `python -m flows.bundle download --inventory",
        "one, two: not begun: needs redis, whose images are missing",
    ):
        assert words in shown, shown


def test_without_a_bundle_nobody_could_have_brought_it_and_the_refusal_names_every_container(bare: Stage) -> None:
    code, report = bare.run()
    assert (code, bare.api.asked) == (1, [])
    for container in ("redis", "sentinel"):
        assert f", container {container}: {REDIS}" in report["outcomes"][0]["message"]


def test_what_is_not_among_the_chosen_stops_nobody(bare: Stage) -> None:
    _bundle(bare)
    assert bare.run(components=("ground", "aside"))[0] == 0


@pytest.fixture
def pulled(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Two images that registries should have, one of which does not, on a node with a containerd."""
    here(monkeypatch)
    FakeContainerd(tmp_path, monkeypatch)
    refused, given = f"registry.example/refused:1@{DIGEST}", f"registry.example/given:2@{DIGEST}"
    stage.objects["one"] = [_pods("Deployment", "web", refused=refused, given=given)]
    return stage


def test_what_a_registry_lacks_is_told_with_its_answer_and_who_does_not_need_it_is_rolled_out(pulled: Stage) -> None:
    folder = _bundle(pulled, "registry.example/refused:0")
    code, report = pulled.run()
    assert code == 3
    (row,) = _failed(report)
    evidence = row["evidence"]
    assert (row["subject"], evidence["container"]) == ("one/Deployment/space/web", "refused")
    assert evidence["image"] == f"registry.example/refused:1@{DIGEST}"
    bundle, looked_for = evidence["looked_for"]
    assert bundle == f"the bundle {folder}: not in it"
    assert looked_for.startswith("w-2: cannot pull registry.example/refused:1@")
    assert "connection refused" in looked_for
    assert "kubernetes.registries" in row["next"]
    assert "python -m flows.bundle download" in row["next"]
    assert [line for line in pulled.api.written if "deployments" in line] == []
    assert any("/namespaces/space" in line for line in pulled.api.written)
    found = by_name(report)
    states = {"ground": "changed", "aside": "changed", "one": "failed", "two": "not_run"}
    assert {name: row["status"] for name, row in found.items()} == states
    assert "one" in found["two"]["why"]
