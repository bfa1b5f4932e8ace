"""Claims about what a bundle's files become on a host, tried with the very script that runs there."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model.bundle.items import BinaryItem, ImageItem, PackageItem
from model.errors import CommandFailed
from tasks import staging
from tasks.staging import Piece
from tests.tasks.local import here

HOST: Any = SimpleNamespace(name="w-1")
PROGRAM = b"#!/bin/sh\necho kubelet\n"


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(params=["openssl's digests", "coreutils' digests"])
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """The folder that stands for a host's own."""
    here(monkeypatch)
    if request.param.startswith("coreutils"):
        broken = tmp_path / "programs/openssl"
        broken.parent.mkdir()
        broken.write_text("#!/bin/sh\nexit 1\n")
        broken.chmod(0o755)
        monkeypatch.setenv("PATH", str(broken.parent), prepend=os.pathsep)
    monkeypatch.setattr(staging, "FOLDER", str(tmp_path / "host"))
    return tmp_path / "host"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder of a bundle with a program and a package."""
    folder = tmp_path / "bundle"
    (folder / "binaries").mkdir(parents=True)
    (folder / "binaries/kubelet.gz").write_bytes(gzip.compress(PROGRAM, mtime=0))
    (folder / "packages").mkdir()
    (folder / "packages/socat_1%2b2_amd64.deb").write_bytes(b"package")
    return folder


def _pieces(bundle: Path, target: Path) -> tuple[Piece, ...]:
    packed = (bundle / "binaries/kubelet.gz").read_bytes()
    program = BinaryItem(
        name="kubelet",
        version="1",
        file="binaries/kubelet.gz",
        size=len(packed),
        sha256=_sha(packed),
        needed="nodes",
        target=str(target),
        mode="0755",
        content_sha256=_sha(PROGRAM),
        content_size=len(PROGRAM),
    )
    package = PackageItem(
        name="socat",
        version="1+2",
        file="packages/socat_1%2b2_amd64.deb",
        size=7,
        sha256=_sha(b"package"),
        needed="nodes",
        suite="bookworm",
    )
    return tuple(staging._piece(item) for item in (program, package))


def test_files_arrive_verified_and_are_not_sent_twice(host: Path, bundle: Path) -> None:
    target = host.parent / "bin/kubelet"
    pieces = _pieces(bundle, target)
    assert staging.missing_files(HOST, pieces) == pieces
    sent: list[int] = []
    staging.send(HOST, bundle, pieces, sent.append)
    assert target.read_bytes() == PROGRAM
    assert target.stat().st_mode & 0o777 == 0o755
    assert (host / "packages/socat_1%2b2_amd64.deb").read_bytes() == b"package"
    assert staging.missing_files(HOST, pieces) == ()
    assert sum(sent) > 0
    assert not list(host.glob("incoming*"))


def test_a_file_that_somebody_touched_is_sent_again(host: Path, bundle: Path) -> None:
    target = host.parent / "bin/kubelet"
    pieces = _pieces(bundle, target)
    staging.send(HOST, bundle, pieces)
    os.utime(target, (1, 1))
    assert staging.missing_files(HOST, pieces) == pieces[:1]
    staging.send(HOST, bundle, pieces[:1])
    target.unlink()
    assert staging.missing_files(HOST, pieces) == pieces[:1]


def test_damage_on_the_way_is_found_before_anything_counts(host: Path, bundle: Path) -> None:
    pieces = _pieces(bundle, host.parent / "bin/kubelet")
    (bundle / "packages/socat_1%2b2_amd64.deb").write_bytes(b"pAckage")
    with pytest.raises(CommandFailed, match="arrived damaged"):
        staging.send(HOST, bundle, pieces[1:])
    assert not (host / "packages/socat_1%2b2_amd64.deb").exists()


def test_another_content_than_the_table_says_is_never_installed(host: Path, bundle: Path) -> None:
    target = host.parent / "bin/kubelet"
    target.parent.mkdir()
    target.write_bytes(b"old")
    other = gzip.compress(b"another program", mtime=0)
    (bundle / "binaries/kubelet.gz").write_bytes(other)
    piece = _pieces(bundle, target)[0]
    with pytest.raises(CommandFailed, match="verify what is in"):
        staging.send(HOST, bundle, (piece,))
    assert target.read_bytes() == b"old"


def test_only_images_with_the_right_digest_are_there(monkeypatch: pytest.MonkeyPatch, host: Path) -> None:
    listed = host.parent / "listed"
    listed.write_text(
        "REF TYPE DIGEST SIZE PLATFORMS LABELS\n"
        "registry.k8s.io/pause:3 application/vnd.oci.image.manifest.v1+json sha256:"
        + "a" * 64
        + " 1 MiB linux/amd64 -\n"
    )
    monkeypatch.setattr(staging, "_IMAGES", f"cat {listed}")
    pieces = [
        staging._piece(
            ImageItem(
                name="registry.k8s.io/pause",
                version="3",
                file="images/pause.tar",
                size=1,
                sha256="0" * 64,
                needed="nodes",
                digest="sha256:" + letter * 64,
            )
        )
        for letter in "ab"
    ]
    assert staging.missing_images(HOST, pieces) == (pieces[1],)
