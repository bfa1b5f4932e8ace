"""A private file is whole or not there, and nobody else may ever read it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.private_file import write_private


def test_it_is_for_its_owner_alone_whatever_lay_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("before", "utf-8")
    path.chmod(0o644)
    write_private(path, b"now")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"now", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_another_mode_and_owner_are_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.pub"
    write_private(path, b"public", mode=0o644, owner=os.getuid())
    assert (path.stat().st_mode & 0o777, path.stat().st_uid) == (0o644, os.getuid())


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    write_private(path, b"before")

    def full(_handle: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_private(path, b"now")
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"before", [path])
