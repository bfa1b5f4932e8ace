"""What bootstrap refuses before it connects to anybody: each with the file, the reason and the next step."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows import bootstrap, upgrade
from flows._run.folder import runs
from model.report.outcome import REFUSED
from tests.flows.plumbing import site
from tests.model.bundle.test_bundle import _bundle, _write
from tests.model.host.test_openpgp import PUBLIC


def _settings(folder: Path, **kubernetes: object) -> None:
    path = folder / "site.yaml"
    settings = yaml.safe_load(path.read_text("utf-8"))
    settings["kubernetes"] |= kubernetes
    path.write_text(yaml.safe_dump(settings), "utf-8")


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run bootstrap on a copy of the reference site; it must end with 1, having asked no host; return what it said."""

    def nobody(*_: Any, **__: Any) -> None:
        raise AssertionError("a host was asked")

    monkeypatch.setattr("flows._cluster.cluster_run.run_on_hosts", nobody)

    def run(folder: Path, *flags: str) -> str:
        first, last = (*flags, None, None)[:2]
        assert bootstrap.main(first=first, last=last, inventory=folder, quiet=True) == REFUSED
        report = json.loads((runs(folder, "bootstrap")[-1] / "report.json").read_text("utf-8"))
        assert not (folder / "state" / "journal.jsonl").exists()
        return " ".join(f"{outcome['message']} {outcome['next']}" for outcome in report["outcomes"]) + json.dumps(
            report.get("findings")
        )

    return run


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A site whose bundle is whole."""
    (tmp_path / "bundle").mkdir()
    _write(tmp_path / "bundle", _bundle(tmp_path / "bundle"))
    folder = site(tmp_path)
    _settings(folder, bundle="../bundle")
    return folder


def test_a_site_that_names_no_bundle(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert "kubernetes.bundle names none" in refused(site(tmp_path))


def test_a_bundle_with_one_wrong_byte(whole: Path, refused: Callable[..., str]) -> None:
    damaged = whole.parent / "bundle/binaries/kubelet.gz"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    refusal = refused(whole)
    assert "binary kubelet" in refusal
    assert "binaries/kubelet.gz has sha256" in refusal


def test_a_bundle_without_an_image_that_kubeadm_needs(whole: Path, refused: Callable[..., str]) -> None:
    table = whole.parent / "bundle/bundle.json"
    content = json.loads(table.read_text("utf-8"))
    content["items"] = [item for item in content["items"] if not item["name"].endswith("kube-scheduler")]
    table.write_text(json.dumps(content), "utf-8")
    assert "image kube-scheduler is missing" in refused(whole)


@pytest.mark.parametrize("version", ["1.37", "1.36.1"])
def test_a_version_that_the_bundle_does_not_carry(whole: Path, refused: Callable[..., str], version: str) -> None:
    _settings(whole, version=version)
    refusal = refused(whole)
    assert f"kubernetes.version is {version}, and the bundle carries 1.36.3" in refusal


@pytest.mark.parametrize("version", ["1.99", "1.20"])
def test_a_version_that_nobody_tried(tmp_path: Path, refused: Callable[..., str], version: str) -> None:
    folder = site(tmp_path)
    _settings(folder, packages="apt", version=version)
    assert version in refused(folder)


def test_packages_from_nowhere(tmp_path: Path, refused: Callable[..., str]) -> None:
    folder = site(tmp_path)
    _settings(folder, packages="apt")
    refusal = refused(folder)
    assert "no repository has Kubernetes" in refusal
    assert "pkgs.k8s.io/core:/stable:/v1.36/deb/" in refusal


def test_an_upgrade_by_apt_names_the_way_by_hand(tmp_path: Path) -> None:
    folder = site(tmp_path)
    (folder / "key.gpg").write_bytes(PUBLIC)
    repository = {"name": "kubernetes", "uri": "http://mirror.example.test/", "key": "key.gpg"}
    _settings(folder, packages="apt", repositories=[repository])
    for bundle in (None, folder):
        assert upgrade.main(to_bundle=bundle, inventory=folder, quiet=True) == REFUSED
        report = json.loads((runs(folder, "upgrade")[-1] / "report.json").read_text("utf-8"))
        assert "kubernetes.packages is apt" in report["outcomes"][0]["message"]


@pytest.mark.parametrize(("first", "last"), [("bios", None), ("workers", "os")])
def test_phases_that_make_no_way(first: str, last: str | None) -> None:
    from model.errors import SelectionError

    with pytest.raises(SelectionError):
        bootstrap.main(first=first, last=last)
