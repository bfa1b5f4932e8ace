"""Only named programs leave an archive, and an archive that points outside itself is refused whole."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from model.errors import BundleError
from remote.upstream.unpacking import members
from tests.upstream.publishers import tarball


def read(path: Path, *names: str) -> dict[str, bytes]:
    with members(path, "https://example.org/a.tar.gz", names) as streams:
        return {name: stream.read() for name, stream in streams.items()}


def test_only_named_members_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(tarball({"./bin/ctr": b"ctr", "README": b"text"}))
    assert read(path, "bin/ctr") == {"bin/ctr": b"ctr"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


@pytest.mark.parametrize("name", ["../evil", "bin/../../evil", "/etc/passwd", "./../evil"])
def test_a_member_outside_refuses_the_whole_archive(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(tarball({"bin/ctr": b"ctr", name: b"evil"}))
    with pytest.raises(BundleError, match="leads out of the archive"):
        read(path, "bin/ctr")


def test_a_link_is_no_program(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("bin/ctr")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/shadow"
        tar.addfile(info)
    with pytest.raises(BundleError, match="has no file bin/ctr"):
        read(path, "bin/ctr")


def test_a_member_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with tarfile.open(path, "w:gz") as tar:
        for data in (b"one", b"two"):
            info = tarfile.TarInfo("ctr")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    with pytest.raises(BundleError, match="has `ctr` twice"):
        read(path, "ctr")


def test_a_missing_member_and_a_broken_archive_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(tarball({"README": b"text"}))
    with pytest.raises(BundleError, match=r"a\.tar\.gz: has no file bin/ctr"):
        read(path, "bin/ctr")
    path.write_bytes(tarball({"bin/ctr": bytes(100_000)})[:80])
    with pytest.raises(BundleError, match="cannot be unpacked"):
        read(path, "bin/ctr")
    path.write_bytes(b"no archive")
    with pytest.raises(BundleError, match="cannot be unpacked"):
        read(path, "bin/ctr")
