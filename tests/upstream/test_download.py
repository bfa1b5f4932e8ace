"""A bundle comes from its publishers whole, or nothing is called one; the next run goes on where the last one ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows._run.cli import execute
from flows.bundle import app
from model.bundle.bundle import load_bundle, verify
from tests.flows.plumbing import site
from tests.upstream import archive
from tests.upstream.publishers import IMAGES, KUBEADM, Publishers, tarball
from tests.upstream.web import sha256

Run = Callable[..., tuple[int, dict[str, Any]]]
KUBELET = "/v1.36.3/amd64/kubelet"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "bundle"


@pytest.fixture
def download(
    publishers: Publishers, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run the command, with flags of its own; return its exit code and report."""
    monkeypatch.delenv("MATRIX_FLEET_INVENTORY", raising=False)

    def ran(*flags: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        argv = ["download", "--output", str(folder), "--sources", str(publishers.sources), "--json", "-", *flags]
        code = execute(app, "flows.bundle", argv)
        return code, json.loads(capsys.readouterr().out or "{}")

    return ran


def failures(report: dict[str, Any]) -> dict[str, str]:
    return {outcome["subject"]: outcome["message"] for outcome in report["outcomes"] if outcome["status"] == "failed"}


def test_a_download_is_a_bundle_that_bootstrap_takes(download: Run, folder: Path) -> None:
    code, report = download()
    assert (code, report["good"]) == (0, True), report
    bundle = load_bundle(folder)
    verify(folder, bundle)
    assert (bundle.kubernetes, bundle.architecture, bundle.suites) == ("1.36.3", "amd64", ("bookworm",))
    assert {image.reference for image in bundle.images} > {f"{name}:{tag}" for name, tag in IMAGES.items()}
    assert {package.name for package in bundle.packages("bookworm")} > {"libnetfilter", "libnfnetlink"}
    assert bundle.binary("bridge").target == "/opt/cni/bin/bridge"
    assert bundle.binary("kubeadm").content_sha256 == sha256(KUBEADM.encode())
    assert execute(app, "flows.bundle", ["verify", str(folder)]) == 0


def test_a_second_run_fetches_nothing_and_changes_nothing(download: Run, folder: Path, publishers: Publishers) -> None:
    download()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    publishers.web.asked.clear()
    code, report = download()
    assert code == 0
    assert [outcome["status"] for outcome in report["outcomes"]] == ["ok"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not [
        path for path in publishers.web.paths() if path.endswith((".tar.gz", ".deb", "kubelet")) or "/blobs/" in path
    ]


def test_a_dry_run_lists_sizes_and_writes_nothing(download: Run, folder: Path, publishers: Publishers) -> None:
    code, report = download("--dry-run")
    assert code == 2
    sizes = {part["what"]: part["size"] for part in report["parts"]}
    assert sizes["file kubelet"] == len(publishers.web.files[KUBELET])
    assert not folder.exists()
    download()
    assert download("--dry-run")[0] == 0


def test_a_server_that_dies_midway_leaves_no_bundle_and_the_next_run_fetches_the_rest(
    download: Run, folder: Path, publishers: Publishers
) -> None:
    publishers.web.cut[KUBELET] = [30_000, 0, 0, 0, 0, 0]
    code, report = download()
    assert code == 3
    assert list(failures(report)) == ["file kubelet"]
    assert not (folder / "bundle.json").exists()
    publishers.web.cut.clear()
    publishers.web.asked.clear()
    assert download()[0] == 0
    assert (KUBELET, "bytes=30000-") in publishers.web.asked
    assert not [path for path in publishers.web.paths() if path.endswith((".tar.gz", ".deb")) or "/blobs/" in path]


def test_nobody_there_is_exit_3(download: Run, folder: Path, publishers: Publishers) -> None:
    publishers.change(registries={"registry.test": "http://127.0.0.1:9"})
    code, report = download()
    assert code == 3
    assert set(failures(report)) == {
        f"image {name}:{tag}" for name, tag in {**IMAGES, "registry.test/flannel": "v0.26.7"}.items()
    }
    assert not (folder / "bundle.json").exists()


def _wrong_checksum(publishers: Publishers) -> str:
    publishers.web.files[f"{KUBELET}.sha256"] = b"0" * 64
    return "file kubelet"


def _checksum_of_others(publishers: Publishers) -> str:
    publishers.web.files["/etcd-amd64.tar.gz.sha256sum"] = f"{'0' * 64}  other.tar.gz\n".encode()
    return "file etcd-amd64.tar.gz"


def _tampered_program(publishers: Publishers) -> str:
    publishers.web.files[KUBELET] += b"!"
    return "file kubelet"


def _tampered_blob(publishers: Publishers) -> str:
    place = next(path for path in publishers.web.files if path.startswith("/v2/etcd/blobs/"))
    publishers.web.files[place] = publishers.web.files[place][:-1] + b"!"
    return "image registry.test/etcd:3.6.8-0"


def _tampered_package(publishers: Publishers) -> str:
    place = next(path for path in publishers.web.files if path.endswith("/socat_2.0_all.deb"))
    publishers.web.files[place] = publishers.web.files[place][:-1] + b"!"
    return "package socat 1:2.0~rc1-1+b1 (bookworm)"


def _missing_image(publishers: Publishers) -> str:
    del publishers.web.files["/v2/pause/manifests/3.10.2"]
    return "image registry.test/pause:3.10.2"


def _other_platform(publishers: Publishers) -> str:
    publishers.web.image("pause", "3.10.2", ("riscv64",))
    return "image registry.test/pause:3.10.2"


def _no_signature(publishers: Publishers) -> str:
    del publishers.web.files["/debian/dists/bookworm/InRelease"]
    return "packages bookworm"


def _tar_that_leads_out(publishers: Publishers) -> str:
    data = tarball({"bin/ctr": b"", "bin/containerd": b"", "bin/containerd-shim-runc-v2": b"", "../evil": b""})
    publishers.web.files["/containerd-amd64.tar.gz"] = data
    publishers.web.files["/containerd-amd64.tar.gz.sha256sum"] = f"{sha256(data)}  containerd-amd64.tar.gz\n".encode()
    return "file containerd-amd64.tar.gz"


def _pinned_otherwise(publishers: Publishers) -> str:
    address = f"{publishers.web.address}{KUBELET}"
    publishers.change(pins={address: f"sha256:{'0' * 64}"})
    return "file kubelet"


def _no_longer_kubeadms(publishers: Publishers) -> str:
    data = KUBEADM.replace("etcd:3.6.8-0", "etcd:3.6.9-0").encode()
    publishers.web.put("/v1.36.3/amd64/kubeadm", data)
    publishers.web.put("/v1.36.3/amd64/kubeadm.sha256", sha256(data).encode())
    return "images of kubeadm"


@pytest.mark.parametrize(
    "damage",
    [
        _wrong_checksum,
        _checksum_of_others,
        _tampered_program,
        _tampered_blob,
        _tampered_package,
        _missing_image,
        _other_platform,
        _no_signature,
        _tar_that_leads_out,
        _pinned_otherwise,
        _no_longer_kubeadms,
    ],
)
def test_one_wrong_thing_is_named_and_costs_the_bundle(
    download: Run, folder: Path, publishers: Publishers, damage: Callable[[Publishers], str]
) -> None:
    subject = damage(publishers)
    code, report = download()
    assert code == 1
    assert list(failures(report)) == [subject]
    assert not (folder / "bundle.json").exists()
    assert not (folder.parent / "evil").exists()


def test_a_release_out_of_date_is_refused(download: Run, publishers: Publishers) -> None:
    publishers.sign(valid=timedelta(days=-1))
    code, report = download()
    assert code == 1
    assert "expired" in failures(report)["packages bookworm"]


def test_a_signature_of_somebody_else_is_refused(download: Run, publishers: Publishers, debian: Path) -> None:
    with archive.signer() as other:
        listing = (debian / "Packages").read_bytes()
        publishers.web.put("/debian/dists/bookworm/InRelease", other.clearsign(archive.release(listing, "bookworm")))
        code, report = download()
    assert code == 1
    assert "NO_PUBKEY" in failures(report)["packages bookworm"]


def test_a_bundle_that_was_whole_is_none_while_another_is_fetched(
    download: Run, folder: Path, publishers: Publishers
) -> None:
    download()
    _tampered_program(publishers)
    publishers.web.files[f"{KUBELET}.sha256"] = b"0" * 64
    assert download()[0] == 1
    assert not (folder / "bundle.json").exists()


def test_calico_brings_the_images_that_its_manifest_names(download: Run, folder: Path, publishers: Publishers) -> None:
    code, report = download("--cni", "calico")
    assert code == 0
    bundle = load_bundle(folder)
    assert [item.name for item in bundle.manifests] == ["calico"]
    assert {"registry.test/calico/node:v3.31.7", "registry.test/calico/cni:v3.31.7"} < {
        image.reference for image in bundle.images
    }
    assert "registry.test/flannel" not in {image.name for image in bundle.images}
    (warning,) = [outcome for outcome in report["outcomes"] if outcome["evidence"] == {"severity": "warning"}]
    assert "only TLS vouches for it" in warning["message"]
    address = f"{publishers.web.address}/calico-v3.31.7.yaml"
    publishers.change(pins={address: f"sha256:{sha256(publishers.web.files['/calico-v3.31.7.yaml'])}"})
    assert [outcome["status"] for outcome in download("--cni", "calico")[1]["outcomes"]] == ["ok"]


def test_what_another_version_left_is_removed(download: Run, folder: Path) -> None:
    download("--cni", "calico")
    assert download()[0] == 0
    assert not (folder / "manifests" / "calico.yaml").exists()
    assert not (folder / "images" / "calico-node.tar").exists()
    assert execute(app, "flows.bundle", ["verify", str(folder)]) == 0


def test_a_pin_that_was_compared_with_nothing_is_told(download: Run, publishers: Publishers) -> None:
    publishers.change(pins={"registry.test/puase:3.10.2": f"sha256:{'0' * 64}"})
    code, report = download()
    assert code == 0
    assert any(outcome["message"].startswith("registry.test/puase:3.10.2: is pinned") for outcome in report["outcomes"])


def test_a_folder_of_somebody_else_is_left_alone(download: Run, folder: Path) -> None:
    folder.mkdir()
    (folder / "images").mkdir()
    (folder / "images" / "holiday.jpg").write_text("picture")
    assert download()[0] == 1
    assert (folder / "images" / "holiday.jpg").exists()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--kubernetes", "1.35"), "the sources know no Kubernetes 1.35; they know 1.36"),
        (("--suite", "sarge"), "the sources know no suite sarge; they know bookworm"),
        (("--sources", "/nowhere.yaml"), "/nowhere.yaml is missing"),
    ],
)
def test_wrong_wishes_are_refused(
    download: Run, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], told: str, publishers: Publishers
) -> None:
    argv = ["download", "--sources", str(publishers.sources), *flags]
    assert execute(app, "flows.bundle", argv) == 1
    assert told in capsys.readouterr().err


def test_a_site_says_version_and_pod_network(
    download: Run, folder: Path, tmp_path: Path, publishers: Publishers
) -> None:
    inventory = site(tmp_path)
    settings = yaml.safe_load((inventory / "site.yaml").read_text())
    settings["kubernetes"]["version"] = "1.36.4"
    settings["cni"] = {"name": "calico"}
    (inventory / "site.yaml").write_text(yaml.safe_dump(settings))
    code, report = download("--inventory", str(inventory))
    assert code == 1
    assert "/v1.36.4/amd64/kubelet.sha256: HTTP 404" in failures(report)["file kubelet"]
    assert "manifest calico" in {part["what"] for part in report["parts"]}


def _application(tmp_path: Path, publishers: Publishers, digest: str) -> Path:
    """Return a site with an image of its own, whose publisher has a manifest beside it."""
    inventory = site(tmp_path)
    image = {"name": "registry.test/group/contour", "tag": "v1.33.8", "digest": digest}
    (inventory / "images.yaml").write_text(yaml.safe_dump({"images": {"contour": image}}))
    publishers.web.put("/contour-1.33.8.yaml", b"apiVersion: v1\nkind: Namespace\nmetadata: {name: projectcontour}\n")
    known = yaml.safe_load(publishers.sources.read_text())["manifests"]
    address = f"{publishers.web.address}/contour-{{version}}.yaml"
    added = {"name": "contour", "component": "contour", "address": address, "needed": "application"}
    publishers.change(manifests=[*known, added])
    return inventory


def test_a_site_with_images_of_its_own_gets_them_and_their_manifests(
    download: Run, folder: Path, tmp_path: Path, publishers: Publishers
) -> None:
    digest = publishers.web.image("group/contour", "v1.33.8")
    inventory = _application(tmp_path, publishers, digest)
    code, report = download("--inventory", str(inventory))
    assert code == 0, failures(report)
    bundle = load_bundle(folder)
    brought = [item for item in bundle.items if item.needed == "application"]
    assert [(item.kind, item.name, item.version) for item in brought] == [
        ("image", "registry.test/group/contour", "v1.33.8"),
        ("manifest", "contour", "1.33.8"),
    ]
    assert download()[0] == 0
    assert not [item for item in load_bundle(folder).items if item.needed == "application"]


def _told(report: dict[str, Any]) -> dict[str, str]:
    return {row["subject"]: row["message"] for row in report["outcomes"] if row["status"] == "not_run"}


def test_only_what_the_rendered_site_uses_is_fetched_and_the_rest_is_named_with_its_reason(
    download: Run, folder: Path, tmp_path: Path, publishers: Publishers
) -> None:
    inventory = _application(tmp_path, publishers, publishers.web.image("group/contour", "v1.33.8"))
    path = inventory / "images.yaml"
    images = yaml.safe_load(path.read_text())["images"]
    # Nobody has these: who asked for them would fail.
    images |= {name: {"name": f"registry.test/none/{name}", "tag": "1"} for name in ("minio", "strange")}
    path.write_text(yaml.safe_dump({"images": images}))
    for flags, expected in ((("--dry-run",), 2), ((), 0)):
        code, report = download("--inventory", str(inventory), *flags)
        assert code == expected, failures(report)
        told = _told(report)
        assert "only for minio, which the site does not have (it needs: object_storage_minio)" in told["image minio"]
        assert told["image strange"] == "registry.test/none/strange:1 left out: no component uses it"
        assert not [part["what"] for part in report["parts"] if "/none/" in part["what"]]
        (lacking,) = [row for row in report["outcomes"] if row["subject"] == "images.yaml"]
        assert "redis (of redis)" in lacking["message"]
        (broken,) = [row for row in report["outcomes"] if row["subject"] == "component haproxy"]
        assert "no image is called synapse" in broken["message"]
    assert {image.name for image in load_bundle(folder).images if image.needed == "application"} == {
        "registry.test/group/contour"
    }


def test_a_site_that_uses_no_image_of_its_own_is_refused(
    tmp_path: Path, publishers: Publishers, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inventory = _application(tmp_path, publishers, "sha256:" + "0" * 64)
    (inventory / "components.yaml").write_text("components: [{name: minio, phase: 1, title: x, when: [no_such]}]\n")
    argv = ["download", "--output", str(folder), "--sources", str(publishers.sources), "--inventory", str(inventory)]
    assert execute(app, "flows.bundle", argv) == 1
    assert "the site uses no image of it: it renders no component" in capsys.readouterr().err
    assert not folder.exists()


def test_a_site_without_images_of_its_own_is_told_that_the_application_is_left_out(
    download: Run, tmp_path: Path
) -> None:
    code, report = download("--inventory", str(site(tmp_path)))
    assert (code, report["good"]) == (0, True)
    assert "the site has no images.yaml of its own" in _told(report)["application"]


def test_an_image_that_is_not_the_one_of_images_yaml_is_no_part_of_a_bundle(
    download: Run, folder: Path, tmp_path: Path, publishers: Publishers
) -> None:
    publishers.web.image("group/contour", "v1.33.8")
    code, report = download("--inventory", str(_application(tmp_path, publishers, "sha256:" + "0" * 64)))
    assert code == 1
    assert "digest pinned sha256:000" in failures(report)["image registry.test/group/contour:v1.33.8"]
    assert not (folder / "bundle.json").exists()


def test_a_bundle_is_shown_with_what_it_is_good_for(
    download: Run, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    download()
    assert execute(app, "flows.bundle", ["show", str(folder), "--json", "-"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["good_for"] == {"minor": "1.36", "suites": ["bookworm"], "networks": ["flannel"]}
    assert shown["lacks"] == []
    assert shown["sha256"] == sha256((folder / "bundle.json").read_bytes())
    assert execute(app, "flows.bundle", ["show", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "registry.test/coredns/coredns" in out
    assert shown["sha256"] in out
