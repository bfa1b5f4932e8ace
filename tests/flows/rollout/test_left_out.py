"""An optional component whose image nobody gave: left out by name, never silently, and never at another's cost."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from model.checkout import REFERENCE
from tests.flows.rollout.stage import Stage, by_name, outcomes, settings
from tests.mutation import loaded

DIGEST = "sha256:" + "1" * 64
NAMES = ("element-web", "ketesa")


def _declared(stage: Stage, **of_each: Any) -> None:
    """Add both components to those of the stage; their objects are what the project's templates make."""
    path = stage.folder / "components.yaml"
    known = yaml.safe_load(path.read_text("utf-8"))
    for name in NAMES:
        row = {"name": name, "phase": 4, "title": name, "namespace": "matrix", "pods": {name: {}}, "optional": True}
        known["components"].append(row | of_each)
        stage.objects[name] = [settings(name)]
        (stage.templates / name).mkdir(parents=True)
        (stage.templates / name / "objects.yaml.j2").touch()
    path.write_text(yaml.safe_dump(known), "utf-8")


def _images(stage: Stage, **digests: str) -> None:
    path = stage.folder / "images.yaml"
    known = yaml.safe_load((REFERENCE / "images.yaml").read_text("utf-8"))
    for name, digest in digests.items():
        known["images"][name.replace("_", "-")]["digest"] = digest
    path.write_text(yaml.safe_dump(known), "utf-8")


@pytest.fixture
def bare(stage: Stage) -> Stage:
    _declared(stage)
    stage.real = frozenset(NAMES)
    return stage


def test_each_is_not_run_by_name_with_the_reason_and_the_rest_is_rolled_out(bare: Stage) -> None:
    code, report = bare.run()
    assert (code, report["good"]) == (0, True)
    told = outcomes(report, "not_run")
    assert (
        "nobody gave its image: no digest is known of element-web (docker.io/vectorim/element-web:"
        in told["element-web"]
    )
    assert "ketesa (ghcr.io/etkecc/ketesa:" in told["ketesa"]
    assert all(row["next"] for row in report["outcomes"] if row["subject"] in NAMES)
    assert not set(NAMES) & set(by_name(report))
    assert {row["status"] for row in report["components"]} == {"changed"}
    assert not [key for key in bare.api.objects if key[-1] in NAMES]


def test_an_images_yaml_from_before_it_came_leaves_it_out_too(bare: Stage) -> None:
    path = bare.folder / "images.yaml"
    known = yaml.safe_load((REFERENCE / "images.yaml").read_text("utf-8"))
    del known["images"]["element-web"]
    path.write_text(yaml.safe_dump(known), "utf-8")
    code, report = bare.run()
    assert (code, report["good"]) == (0, True)
    assert "images.yaml has no element-web" in outcomes(report, "not_run")["element-web"]
    assert bare.run(components=("element-web",))[0] == 1


def test_nothing_is_ever_made_of_it_by_a_dry_run_or_a_second_run(bare: Stage) -> None:
    bare.run()
    for more in ({"dry_run": True}, {}, {"prune": True}):
        code, report = bare.run(**more)
        assert code == 0, more
        assert set(NAMES) <= set(outcomes(report, "not_run"))


def test_whoever_asks_for_it_by_name_is_refused(bare: Stage) -> None:
    code, report = bare.run(components=("element-web",))
    assert code == 1
    assert "element-web (docker.io/vectorim/element-web:" in report["outcomes"][0]["message"]
    assert bare.api.written == []


def test_a_phase_of_nothing_else_is_no_failure_and_names_them(bare: Stage) -> None:
    code, report = bare.run(phase=4)
    assert (code, report["components"]) == (0, [])
    assert set(NAMES) <= set(outcomes(report, "not_run"))


def test_another_component_asked_for_by_name_does_not_tell_of_it(bare: Stage) -> None:
    code, report = bare.run(components=("aside", "ground"))
    assert code == 0
    assert not set(NAMES) & set(outcomes(report, "not_run"))


def test_with_its_digest_it_is_rolled_out_like_any_other(bare: Stage) -> None:
    _images(bare, element_web=DIGEST)
    bare.real = frozenset({"ketesa"})
    code, report = bare.run()
    assert code == 0
    assert by_name(report)["element-web"]["status"] == "changed"
    assert set(NAMES) & set(outcomes(report, "not_run")) == {"ketesa"}


def test_what_is_not_optional_is_never_left_out(stage: Stage) -> None:
    _declared(stage, optional=False)
    stage.real = frozenset(NAMES)
    code, report = stage.run()
    assert code == 1
    assert "element-web (docker.io/vectorim/element-web:" in report["outcomes"][0]["message"]
    assert stage.api.written == []


def test_what_it_brought_earlier_stays_when_its_digest_is_gone_even_where_everything_else_is_pruned(
    bare: Stage,
) -> None:
    _images(bare, element_web=DIGEST)
    bare.real = frozenset({"ketesa"})
    bare.run()
    _images(bare)
    bare.real = frozenset(NAMES)
    before = {key for key in bare.api.objects if key[-1] == "element-web"}
    assert before
    code, report = bare.run(prune=True)
    assert code == 0
    assert {key for key in bare.api.objects if key[-1] == "element-web"} == before
    assert "element-web" in outcomes(report, "not_run")


def test_the_projects_own_are_these() -> None:
    site = loaded()
    optional = {component.name for component in site.components if component.optional}
    assert optional == {*NAMES, "sygnal"}
    assert not any(site.images[name].digest for name in optional)
