"""What is rendered for a person before digests and publishers' manifests are there, and what a rollout says then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows import rollout
from flows._run.cli import execute
from flows._run.folder import runs
from model.rollout.image_references import UNKNOWN_DIGEST
from tests.mutation import write

DIGEST = "sha256:" + "1" * 64


def _run(folder: Path, *more: str) -> tuple[int, dict[str, Any]]:
    code = execute(rollout.main, "flows.rollout", ["--inventory", str(folder), "--quiet", *more])
    return code, json.loads((runs(folder, "rollout")[-1] / "report.json").read_text("utf-8"))


def _by_subject(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {outcome["subject"]: outcome for outcome in report["outcomes"]}


def test_a_site_without_digests_is_rendered_and_says_what_is_missing(tmp_path: Path) -> None:
    folder, target = write(tmp_path / "site", {}), tmp_path / "out"
    code, report = _run(folder, "--render", str(target))
    assert code == 2
    found = _by_subject(report)
    assert found["render"]["message"].startswith("13 components written to")
    assert "redis (docker.io/library/redis:7.2-bookworm)" in found["render/digests"]["message"]
    assert "cloudnative-pg (cloudnative-pg)" in found["render/manifests"]["message"]
    for subject in ("render/digests", "render/manifests"):
        assert found[subject]["status"] == "drift"
        step = found[subject]["next"]
        assert "copy inventory/images.yaml" in step
        assert "flows.bundle download" in step
        assert "docs/images.md" in step
    (redis,) = (target / "redis").glob("*-StatefulSet-redis.yaml")
    assert f"image: docker.io/library/redis:7.2-bookworm@{UNKNOWN_DIGEST}" in redis.read_text("utf-8")


def test_known_digests_are_no_finding(tmp_path: Path) -> None:
    folder = write(tmp_path / "site", {"set": {"images:images.redis.digest": DIGEST}})
    code, report = _run(folder, "--component", "redis", "--render", str(tmp_path / "out"))
    assert code == 0
    assert [outcome["status"] for outcome in report["outcomes"]] == ["ok"]


def test_a_bundle_that_is_not_there_is_named_and_the_rest_is_rendered(tmp_path: Path) -> None:
    folder = write(tmp_path / "site", {"set": {"site:kubernetes.bundle": "bundle"}})
    code, report = _run(folder, "--component", "redis", "--render", str(tmp_path / "out"))
    assert code == 2
    assert "bundle.json: cannot be read" in _by_subject(report)["render/bundle"]["message"]
    assert list((tmp_path / "out" / "redis").glob("*.yaml"))


def test_what_cannot_be_rendered_is_named_and_the_rest_is_written(tmp_path: Path) -> None:
    folder = write(tmp_path / "site", {"set": {"site:size": "auto", "site:object_storage": {"provider": "minio"}}})
    code, report = _run(folder, "--render", str(tmp_path / "out"))
    assert code == 1
    assert "MinIO needs 4 storage servers" in _by_subject(report)["render/minio"]["message"]
    assert (tmp_path / "out" / "redis").is_dir()
    assert not (tmp_path / "out" / "minio").exists()


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_applying_refuses_before_it_connects_and_says_what_to_do(
    more: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a cluster was opened")

    monkeypatch.setattr("remote.kube.open_cluster", refuse)
    code, report = _run(write(tmp_path / "site", {}), *more)
    assert code == 1
    (outcome,) = report["outcomes"]
    assert "redis (docker.io/library/redis:7.2-bookworm) has no digest" in outcome["message"]
    assert "flows.bundle download" in outcome["next"]
    assert "docs/images.md" in outcome["next"]
