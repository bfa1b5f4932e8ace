"""A file is there as a whole, with its mode, or as it was; nothing is left beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.whole_file import PRIVATE, write_whole


def test_a_file_of_any_mode_becomes_private_before_anything_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "key"
    path.parent.mkdir()
    path.write_text("former")
    path.chmod(0o666)
    (path.parent / ".key.new").write_text("of a run that was killed")
    write_whole(path, "another", PRIVATE)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("another", 0o600)
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]


def test_where_it_cannot_be_written_it_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    path = tmp_path / "key"
    write_whole(path, "former")
    monkeypatch.setattr("lab.whole_file.os.fchmod", full)
    with pytest.raises(OSError, match="no space left"):
        write_whole(path, "another")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("former", 0o644)
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]
