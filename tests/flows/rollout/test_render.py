"""What is rendered for a person before digests and publishers' manifests are there, and what a rollout says then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    assert found["render"]["message"].startswith("15 components written to")
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


def _merged(target: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in (target / "synapse/merged").iterdir()}


def test_each_process_of_synapse_is_shown_what_it_ends_up_with(tmp_path: Path) -> None:
    large = {"set": {"site:size": "auto", "site:concurrent_users": 1000}}
    target = tmp_path / "out"
    for change in (large, {}):
        _run(write(tmp_path / f"site-{len(change)}", change), "--component", "synapse", "--render", str(target))
        found = _merged(target)
        manifests = [yaml.safe_load(path.read_text("utf-8")) for path in (target / "synapse").glob("*StatefulSet*")]
        pods = {
            f"{manifest['metadata']['name']}-{number}"
            for manifest in manifests
            for number in range(manifest["spec"]["replicas"])
        }
        assert found.keys() == pods, "what an earlier render wrote is gone"
        for name, config in found.items():
            assert config.get("worker_name", "synapse-main-0") == name
            assert config["server_name"] == "example.test"
            assert config["signing_key_path"] == "/secrets/signing.key"
            assert config["enable_media_repo"] == name.startswith("synapse-media-")
            assert ("worker_listeners" in config) != ("listeners" in config)


def test_the_login_at_the_mail_server_is_shown_by_name_to_those_who_have_it(tmp_path: Path) -> None:
    sends = {"set": {"site:features.smtp": True, "site:size": "auto", "site:features.push_notifications": True}}
    sends["set"]["site:concurrent_users"] = 5000
    target = tmp_path / "out"
    _run(write(tmp_path / "site", sends), "--component", "synapse", "--render", str(target))
    found = _merged(target)
    users = {name: config["email"].get("smtp_user", "") for name, config in found.items()}
    assert {name for name, user in users.items() if user} == {"synapse-main-0", "synapse-pusher-0"}
    for name in ("synapse-main-0", "synapse-pusher-0"):
        email = found[name]["email"]
        assert (email["smtp_user"], email["smtp_pass"]) == ("@@secret:smtp/username@@", "@@secret:smtp/password@@")
        assert email["smtp_host"] == found["synapse-sync-0"]["email"]["smtp_host"]


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


def test_what_a_rollout_would_leave_out_is_shown_and_named_and_is_no_drift(tmp_path: Path) -> None:
    folder, target = write(tmp_path / "site", {}), tmp_path / "out"
    code, report = _run(folder, "--component", "element-web,ketesa", "--render", str(target))
    found = _by_subject(report)
    assert (code, "render/digests" in found) == (0, False)
    for name in ("element-web", "ketesa"):
        assert found[f"render/{name}"]["status"] == "not_run"
        assert "nobody gave its image" in found[f"render/{name}"]["message"]
        (deployment,) = (target / name).glob(f"*-Deployment-{name}.yaml")
        assert f"@{UNKNOWN_DIGEST}" in deployment.read_text("utf-8")
    config = json.loads((target / "element-web/files/config.json").read_text("utf-8"))
    assert config["default_server_config"]["m.homeserver"]["server_name"] == "example.test"
