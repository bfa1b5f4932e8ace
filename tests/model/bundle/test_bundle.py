"""A bundle is whole, or every wrong file of it is named."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from model.bundle.bundle import IMAGES, MANIFEST, Bundle, load_bundle, parse, render, verify
from model.errors import BundleError, SchemaErrors

_DIGEST = f"sha256:{'0' * 64}"


def _item(folder: Path, kind: str, name: str, file: str, **more: str | int) -> dict[str, Any]:
    data = f"{kind} {name}".encode()
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    entry = {"kind": kind, "name": name, "version": "1", "file": file, "needed": "nodes", **more}
    return {**entry, "size": len(data), "sha256": digest}


def _bundle(folder: Path) -> dict[str, Any]:
    items = [_item(folder, "image", f"registry.k8s.io/{name}", f"images/{name}.tar", digest=_DIGEST) for name in IMAGES]
    content: dict[str, str | int] = {"target": "/usr/local/bin/kubelet", "mode": "0755"}
    content |= {"content_sha256": "0" * 64, "content_size": 1}
    items.append(_item(folder, "binary", "kubelet", "binaries/kubelet.gz", **content))
    packages = {"conntrack_1%3a1.4.7-1+b2_amd64.deb": "package", "Packages": "index", "Packages.gz": "index"}
    items += [
        _item(folder, kind, name.partition("_")[0], f"packages/bookworm/{name}", suite="bookworm")
        for name, kind in packages.items()
    ]
    return {
        "schema": "matrix-fleet/bundle/1",
        "name": "trial",
        "kubernetes": "1.36.3",
        "architecture": "amd64",
        "suites": ["bookworm"],
        "items": items,
    }


def _write(folder: Path, table: dict[str, Any]) -> Path:
    (folder / MANIFEST).write_text(json.dumps(table), "utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole bundle."""
    return _write(tmp_path, _bundle(tmp_path))


def test_a_whole_bundle_is_read_and_verified(folder: Path) -> None:
    bundle = load_bundle(folder)
    seen: list[str] = []
    verify(folder, bundle, lambda item: seen.append(item.file))
    assert seen == [item.file for item in bundle.items]
    assert bundle.minor == "1.36"
    assert bundle.binary("kubelet").target == "/usr/local/bin/kubelet"
    assert bundle.image("etcd").reference == "registry.k8s.io/etcd:1"
    assert [item.name for item in bundle.packages("bookworm")] == ["conntrack"]
    assert len(bundle.index("bookworm")) == 2
    assert bundle.packages("trixie") == ()


def test_what_is_rendered_reads_the_same(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert parse(render(bundle)) == bundle


def test_a_changed_byte_names_item_file_and_next_step(folder: Path) -> None:
    bundle = load_bundle(folder)
    path = folder / "images/etcd.tar"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError, match=r"image registry\.k8s\.io/etcd 1: images/etcd\.tar has sha256") as raised:
        verify(folder, bundle)
    assert "flows.bundle download" in raised.value.next_step


def test_all_wrong_files_are_named_at_once(folder: Path) -> None:
    (folder / "images/etcd.tar").unlink()
    (folder / "binaries/kubelet.gz").write_bytes(b"short")
    with pytest.raises(BundleError) as raised:
        load_bundle(folder)
    assert "images/etcd.tar is missing" in str(raised.value)
    assert "binaries/kubelet.gz has 5 bytes, not 14" in str(raised.value)


def test_a_bundle_without_an_image_that_kubeadm_needs_is_refused(folder: Path) -> None:
    table = _bundle(folder)
    table["items"] = [item for item in table["items"] if not item["name"].endswith("/pause")]
    with pytest.raises(BundleError, match="image pause is missing"):
        load_bundle(_write(folder, table))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": "matrix-fleet/bundle/2"}', "not JSON"])
def test_what_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text, "utf-8")
    with pytest.raises(SchemaErrors, match=r"bundle\.json"):
        load_bundle(tmp_path)


def test_a_folder_without_a_table_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"bundle\.json"):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("file", "../outside"),
        ("file", "/etc/passwd"),
        ("file", "images/../../outside"),
        ("file", "images//etcd.tar"),
        ("file", ".hidden"),
        ("file", "images/etcd.tar\n"),
        ("sha256", "0" * 63),
        ("digest", "0" * 64),
        ("size", -1),
        ("needed", "everybody"),
        ("kind", "surprise"),
        ("unknown", "field"),
    ],
)
def test_no_wrong_field_gets_through(folder: Path, field: str, value: object) -> None:
    table = _bundle(folder)
    table["items"][0][field] = value
    with pytest.raises(SchemaErrors):
        load_bundle(_write(folder, table))


@pytest.mark.parametrize("target", ["usr/bin/kubelet", "/usr/bin/../../etc/passwd", "/", "/usr/bin/"])
def test_a_program_ends_at_a_plain_place(folder: Path, target: str) -> None:
    table = _bundle(folder)
    next(item for item in table["items"] if item["kind"] == "binary")["target"] = target
    with pytest.raises(SchemaErrors):
        load_bundle(_write(folder, table))


def test_no_file_is_two_items(folder: Path) -> None:
    table = _bundle(folder)
    table["items"].append(table["items"][0])
    with pytest.raises(SchemaErrors, match="listed twice"):
        load_bundle(_write(folder, table))


def test_an_unknown_name_is_told(folder: Path) -> None:
    bundle: Bundle = load_bundle(folder)
    with pytest.raises(BundleError, match="no program `crictl`"):
        bundle.binary("crictl")
    with pytest.raises(BundleError, match="no image `calico`"):
        bundle.image("calico")
