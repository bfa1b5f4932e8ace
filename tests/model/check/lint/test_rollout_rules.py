"""What lint says of a site that could not be rolled out yet, and what it says once about one mistake."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from model.bundle.bundle import IMAGES
from model.check.lint import exit_code, findings
from tests.mutation import REFERENCE, loaded, site

TODAY = date(2026, 11, 23)
FIVE = REFERENCE.parent / "tests" / "data" / "five-servers"
DIGEST, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def _found(folder: Path, rule: str, base: Path = REFERENCE, **edits: Any) -> list[Any]:
    return [finding for finding in findings(site(folder, base, **edits), TODAY) if finding.check == rule]


def test_images_without_a_digest_are_named_with_the_next_step(tmp_path: Path) -> None:
    (finding,) = _found(tmp_path / "none", "image-digest")
    assert "redis, seaweedfs, synapse" in finding.value
    assert "element-web" in finding.value
    assert "without element-web, ketesa a rollout goes on" in finding.message
    assert "flows.bundle download" in finding.remedy
    assert "copy inventory/images.yaml" in finding.remedy
    (finding,) = _found(tmp_path / "known", "image-digest", set={"images:images.redis.digest": DIGEST})
    assert "redis" not in finding.value
    assert "copy" not in finding.remedy


def test_what_a_bundle_brings_is_not_missing(tmp_path: Path) -> None:
    named = {"site:kubernetes.bundle": "bundle"}
    manifests = ("cert-manager", "cloudnative-pg", "contour")
    images = [image.name for image in loaded().images.values()]
    _bundle(tmp_path / "whole" / "bundle", images, manifests)
    whole = findings(site(tmp_path / "whole", set=named), TODAY)
    assert not [finding for finding in whole if finding.check in ("image-digest", "bundle-missing")]
    _bundle(tmp_path / "part" / "bundle", [name for name in images if not name.endswith("/redis")], manifests[1:])
    part = {finding.check: finding for finding in findings(site(tmp_path / "part", set=named), TODAY)}
    assert part["image-digest"].value == "redis"
    assert "goes on" not in part["image-digest"].message
    assert "the publishers' manifests of cert-manager come in one" in part["bundle-missing"].message


def test_the_publishers_image_does_not_stand_for_a_derived_one(tmp_path: Path) -> None:
    derived = {"requirements": "templates/bundle/synapse-s3.lock", "into": "lib"}
    edits = {"site:kubernetes.bundle": "bundle", "images:images.synapse.derived": derived}
    _bundle(tmp_path / "bundle", [image.name for image in loaded().images.values()], ())
    (finding,) = _found(tmp_path, "image-digest", set=edits)
    assert finding.value == "synapse"


@pytest.mark.parametrize(
    ("registry", "digest", "words"),
    [
        ("registry.example.org", DIGEST, ()),
        ("registry.example.org", OTHER, (f"is {DIGEST}, and a rollout goes on with this one",)),
        ("registry.example.net", DIGEST, ("the registry that has `push` is registry.example.org",)),
        ("registry.example.net", OTHER, (f"is {DIGEST}", "is registry.example.org")),
    ],
)
def test_a_pushed_image_that_is_not_the_bundles_is_named(
    tmp_path: Path, registry: str, digest: str, words: tuple[str, ...]
) -> None:
    derived = {"code": {"folder": "apps/config_check", "at": "opt/x"}}
    own = {"registry": "registry.example.org", "mirrors": ["https://registry.example.org"], "push": {"folder": "m"}}
    edits: dict[str, Any] = {"site:kubernetes.bundle": "bundle", "site:kubernetes.registries": [own]}
    made = site(tmp_path / "first", set={"images:images.synapse.derived": derived})
    image = made.images["synapse"]
    tag = made.derivations["synapse"].tag(image.tag)
    _bundle(tmp_path / "then" / "bundle", [image.name], (), versions={image.name: tag})
    known = {**derived, "pushed": f"{registry}/m/matrixdotorg/synapse:{tag}@{digest}"}
    edits |= {"images:images.synapse.derived": known}
    found = _found(tmp_path / "then", "image-pushed-outdated", set=edits)
    assert [finding.path for finding in found] == (["images.synapse.derived.pushed"] if words else [])
    for finding in found:
        assert all(word in finding.message for word in words)
        assert finding.message.count(";") == len(words) - 1
        assert "flows.bundle push" in finding.remedy


def _bundle(
    folder: Path, images: Sequence[str], manifests: Sequence[str], versions: Mapping[str, str] = MappingProxyType({})
) -> None:
    folder.mkdir(parents=True)
    names = [*(f"registry.k8s.io/{name}" for name in IMAGES), *images]
    items = [{"kind": "image", "name": name, "file": f"images/{number}.tar", "digest": DIGEST}
             for number, name in enumerate(names)]  # fmt: skip
    items += [{"kind": "manifest", "name": name, "file": f"manifests/{name}.yaml"} for name in manifests]
    for item in items:
        (folder / item["file"]).parent.mkdir(exist_ok=True)
        (folder / item["file"]).touch()
    common = {"version": "1", "needed": "nodes", "size": 0, "sha256": hashlib.sha256(b"").hexdigest()}
    head = {"schema": "matrix-fleet/bundle/1", "name": "trial", "kubernetes": "1.36.3", "architecture": "amd64"}
    table = {**head, "suites": ["bookworm"], "items": [common | item | _version(item, versions) for item in items]}
    (folder / "bundle.json").write_text(json.dumps(table), "utf-8")


def _version(item: Mapping[str, str], versions: Mapping[str, str]) -> dict[str, str]:
    return {"version": versions[item["name"]]} if item["name"] in versions else {}


def test_a_component_that_cannot_be_rendered_is_a_warning_and_the_rest_is_judged(tmp_path: Path) -> None:
    known = site(tmp_path, FIVE)
    found = findings(known, TODAY)
    assert exit_code(found) == 0
    broken = {finding.value: finding for finding in found if finding.check == "component-render"}
    assert set(broken) == {"network-policies", "issuers"}
    assert "chat.pem cannot be read" in broken["issuers"].message


def test_a_secret_nobody_declares_is_one_finding_an_object_that_holds_it(tmp_path: Path) -> None:
    found = findings(site(tmp_path, delete=["secrets:secrets.redis-sentinel"]), TODAY)
    about = [finding for finding in found if "redis-sentinel" in finding.value]
    assert {finding.check for finding in about} == {"secret-use"}


def test_features_that_nobody_deploys_are_named_until_they_are_off_or_built(tmp_path: Path) -> None:
    (finding,) = _found(tmp_path / "on", "feature-undeployed")
    assert finding.value == "turn, livekit, element_call, li, antivirus, monitoring"
    (finding,) = _found(tmp_path / "off", "feature-undeployed", set={"site:features": {"turn": False}})
    assert "turn" not in finding.value
    gone = ["components:components.element-web", "components:components.ketesa"]
    (finding,) = _found(tmp_path / "gone", "feature-undeployed", delete=gone)
    assert finding.value.endswith("monitoring, element_web, admin_ui")
    built = {"name": "coturn", "phase": 4, "title": "TURN", "when": ["turn"]}
    (finding,) = _found(tmp_path / "built", "feature-undeployed", set={"components:components.+": built})
    assert "turn" not in finding.value


def test_the_advice_about_a_vantage_host_names_the_network_that_is_missing(tmp_path: Path) -> None:
    (finding,) = _found(tmp_path / "host", "vantage-missing", delete=["hosts:vantage-1"])
    assert "networks." not in finding.remedy
    both = ["hosts:vantage-1", "site:networks.internet"]
    (finding,) = _found(tmp_path / "both", "vantage-missing", delete=both)
    assert finding.remedy.startswith("networks.internet in site.yaml")


@pytest.mark.parametrize(
    ("gib", "message"),
    [
        ((1, 1, 1), "pods on its servers ask for 2.0 GiB, and these have 1.5 while the largest is away"),
        ((1, 1, 64), "pods on its servers ask for 2.0 GiB, and these have 1.5 while the largest is away"),
        ((1, 64, 64), ""),
    ],
)
def test_what_pods_ask_for_must_fit_without_the_largest_server(
    gib: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    declared = {f"hosts:w-{number}.data.ram_gib": given for number, given in enumerate(gib, start=1)}
    found = _found(tmp_path, "requests-fit", set={"hosts:st-1.groups": ["storage"], **declared})
    assert [finding.message for finding in found] == ([message] if message else [])


@pytest.mark.parametrize(("cpus", "gib", "found"), [(1, 2, []), (1, 1, ["2.9"]), (2, 2, [])])
def test_a_pod_that_has_a_server_to_itself_is_not_missed_while_that_is_away(
    cpus: int, gib: int, found: list[str], tmp_path: Path
) -> None:
    declared = {f"hosts:db-{number}.data.cpus": cpus for number in (1, 2, 3)}
    declared |= {f"hosts:db-{number}.data.ram_gib": gib for number in (1, 2, 3)}
    judged = _found(tmp_path, "requests-fit", set={"site:size": "auto", **declared})
    assert [finding.value for finding in judged] == found
