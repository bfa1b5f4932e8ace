"""No damage to a bundle stays unseen, and each has an outcome of its own."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows._run.cli import execute
from flows.bundle import app
from tests.upstream import archive
from tests.upstream.publishers import publishing
from tests.upstream.web import sha256

Table = dict[str, Any]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, debian: Path, signer: archive.Signer) -> Path:
    """A bundle as it was downloaded."""
    folder = tmp_path_factory.mktemp("downloaded")
    with publishing(folder, debian, signer) as sources:
        argv = ["download", "--output", str(folder / "bundle"), "--sources", str(sources.sources), "--quiet"]
        assert execute(app, "flows.bundle", argv) == 0
    return folder / "bundle"


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "bundle"))


@pytest.fixture
def verified(bundle: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[], tuple[int, list[str]]]:
    """Verify; return the exit code and what is wrong."""

    def ran() -> tuple[int, list[str]]:
        capsys.readouterr()
        code = execute(app, "flows.bundle", ["verify", str(bundle), "--json", "-"])
        report = json.loads(capsys.readouterr().out)
        return code, [outcome["message"] for outcome in report["outcomes"] if outcome["status"] != "ok"]

    return ran


def _edit(bundle: Path, change: Callable[[Table], object]) -> None:
    table = json.loads((bundle / "bundle.json").read_text())
    change(table)
    (bundle / "bundle.json").write_text(json.dumps(table))


def _agree(bundle: Path, file: str) -> None:
    """Make the table agree with a changed file, as somebody would who knows how."""
    data = (bundle / file).read_bytes()

    def change(table: Table) -> None:
        next(item for item in table["items"] if item["file"] == file).update(size=len(data), sha256=sha256(data))

    _edit(bundle, change)


def _without(bundle: Path, name: str) -> None:
    def change(table: Table) -> None:
        gone = [item for item in table["items"] if item["name"] == name]
        table["items"] = [item for item in table["items"] if item not in gone]
        for item in gone:
            (bundle / item["file"]).unlink()

    _edit(bundle, change)


def _one_bit(bundle: Path) -> None:
    path = bundle / "images/etcd.tar"
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.write_bytes(data)


def _shorter(bundle: Path) -> None:
    path = bundle / "packages/bookworm/Packages"
    path.write_bytes(path.read_bytes()[:-1])


def _gone(bundle: Path) -> None:
    (bundle / "binaries/kubelet.gz").unlink()


def _extra(bundle: Path) -> None:
    (bundle / "images/extra.tar").write_bytes(b"")


def _extra_hidden(bundle: Path) -> None:
    (bundle / ".profile").write_bytes(b"")


def _extra_link(bundle: Path) -> None:
    (bundle / "images/link").symlink_to("/etc")


def _other_program(bundle: Path) -> None:
    (bundle / "binaries/kubelet.gz").write_bytes(gzip.compress(b"other"))
    _agree(bundle, "binaries/kubelet.gz")


def _no_gzip(bundle: Path) -> None:
    (bundle / "binaries/kubelet.gz").write_bytes(b"plain")
    _agree(bundle, "binaries/kubelet.gz")


def _repack(path: Path, change: Callable[[str, bytes], bytes | None]) -> None:
    with tarfile.open(path) as tar:
        files = [(info, tar.extractfile(info) if info.isreg() else None) for info in tar]
        members = [(info, b"" if file is None else file.read()) for info, file in files]
    with tarfile.open(path, "w") as tar:
        for info, data in members:
            changed = change(info.name, data)
            if changed is not None:
                info.size = len(changed)
                tar.addfile(info, io.BytesIO(changed))


def _blob(bundle: Path, kind: int) -> str:
    """Name a part of etcd's image: 0 its configuration, 1 a layer."""
    table = json.loads((bundle / "bundle.json").read_text())
    digest = next(item["digest"] for item in table["items"] if item["file"] == "images/etcd.tar")
    with tarfile.open(bundle / "images/etcd.tar") as tar:
        blob = tar.extractfile(f"blobs/sha256/{digest.removeprefix('sha256:')}")
        assert blob is not None
        manifest = json.load(blob)
    part = [manifest["config"], *manifest["layers"]][kind]
    return str(part["digest"].removeprefix("sha256:"))


def _layer_changed(bundle: Path) -> None:
    name = f"blobs/sha256/{_blob(bundle, 1)}"
    _repack(bundle / "images/etcd.tar", lambda member, data: data[:-1] + b"!" if member == name else data)
    _agree(bundle, "images/etcd.tar")


def _layer_gone(bundle: Path) -> None:
    name = f"blobs/sha256/{_blob(bundle, 1)}"
    _repack(bundle / "images/etcd.tar", lambda member, data: None if member == name else data)
    _agree(bundle, "images/etcd.tar")


def _other_image(bundle: Path) -> None:
    shutil.copy(bundle / "images/pause.tar", bundle / "images/etcd.tar")
    _agree(bundle, "images/etcd.tar")


def _other_digest(bundle: Path) -> None:
    def change(table: Table) -> None:
        next(item for item in table["items"] if item["file"] == "images/etcd.tar")["digest"] = f"sha256:{'0' * 64}"

    _edit(bundle, change)


def _no_index(bundle: Path) -> None:
    _repack(bundle / "images/etcd.tar", lambda member, data: None if member == "index.json" else data)
    _agree(bundle, "images/etcd.tar")


def _list_of_others(bundle: Path) -> None:
    path = bundle / "packages/bookworm/Packages"
    path.write_text(path.read_text().replace("socat_", "other_"))
    _agree(bundle, "packages/bookworm/Packages")


def _compressed_list_of_old(bundle: Path) -> None:
    path = bundle / "packages/bookworm/Packages.gz"
    text = gzip.decompress(path.read_bytes()).decode().replace("SHA256: ", "SHA256: 0")
    path.write_bytes(gzip.compress(text.encode()))
    _agree(bundle, "packages/bookworm/Packages.gz")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_one_bit, "images/etcd.tar has sha256 "),
        (_shorter, "packages/bookworm/Packages has "),
        (_gone, "binaries/kubelet.gz is missing"),
        (_extra, "images/extra.tar is in the folder and not in bundle.json"),
        (_extra_hidden, ".profile is in the folder"),
        (_extra_link, "images/link is in the folder"),
        (_other_program, "binaries/kubelet.gz holds 5 bytes with sha256 "),
        (_no_gzip, "binaries/kubelet.gz cannot be read"),
        (_layer_changed, "images/etcd.tar has a part "),
        (_layer_gone, "images/etcd.tar lacks the part "),
        (_other_image, "images/etcd.tar holds the image registry.test/pause:3.10.2"),
        (_other_digest, "images/etcd.tar holds the digest "),
        (_no_index, "images/etcd.tar cannot be read"),
        (_list_of_others, "packages/bookworm/Packages lists, and the bundle lacks, other_"),
        (_compressed_list_of_old, "packages/bookworm/Packages.gz lists "),
    ],
)
def test_every_damage_is_one_outcome(
    bundle: Path, verified: Callable[[], tuple[int, list[str]]], damage: Callable[[Path], None], told: str
) -> None:
    damage(bundle)
    code, wrong = verified()
    assert code == 1
    assert len(wrong) == 1
    assert wrong[0].startswith(told)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("registry.test/pause", "image pause is missing"),
        ("etcdutl", "program etcdutl is missing"),
        ("registry.test/flannel", "no pod network"),
        ("Packages", "the list Packages is missing for bookworm"),
    ],
)
def test_what_bootstrap_would_miss_is_named(
    bundle: Path, verified: Callable[[], tuple[int, list[str]]], name: str, told: str
) -> None:
    _without(bundle, name)
    code, wrong = verified()
    assert code == 1
    assert [message.startswith(told) for message in wrong] == [True]


def test_a_package_that_is_missing_is_missed_by_both_lists_and_bootstrap(
    bundle: Path, verified: Callable[[], tuple[int, list[str]]]
) -> None:
    _without(bundle, "socat")
    assert any(message.startswith("package socat is missing for bookworm") for message in verified()[1])


def test_all_damage_is_told_at_once(bundle: Path, verified: Callable[[], tuple[int, list[str]]]) -> None:
    for damage in (_one_bit, _gone, _extra):
        damage(bundle)
    assert len(verified()[1]) == 3


def test_what_a_download_leaves_behind_is_no_damage(
    bundle: Path, verified: Callable[[], tuple[int, list[str]]]
) -> None:
    assert (bundle / ".download" / "record.json").exists()
    assert verified() == (0, [])


def test_no_table_is_no_bundle(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle / "bundle.json").write_text("{}")
    assert execute(app, "flows.bundle", ["verify", str(bundle)]) == 1
    (bundle / "bundle.json").unlink()
    assert execute(app, "flows.bundle", ["verify", str(bundle)]) == 1
    assert "must be a bundle" in capsys.readouterr().err
