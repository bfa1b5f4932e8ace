"""Claims about what a site remembers of its runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows._run.journal import NAME, Journal
from model.errors import SiteError


def test_a_phase_that_was_begun_and_never_ended_is_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "bootstrap", dry_run=False)
    assert journal.cut_short() == ""
    journal.write("os", "begun")
    journal.write("os", "ended", ["w-1"])
    journal.write("os", "ended")
    journal.write("init", "begun")
    again = Journal(tmp_path, "bootstrap", dry_run=False)
    assert again.cut_short() == "init"
    assert again.hosts("os", "ended") == {"w-1"}
    assert Journal(tmp_path, "upgrade", dry_run=False).cut_short() == ""
    again.write("init", "ended")
    assert again.cut_short() == ""


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    Journal(tmp_path, "bootstrap", dry_run=True).write("os", "begun")
    assert list(tmp_path.iterdir()) == []


def test_a_last_line_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "bootstrap", dry_run=False)
    journal.write("os", "begun")
    path = tmp_path / "state" / NAME
    path.write_text(path.read_text() + '{"time": "2026', "utf-8")
    assert [entry.phase for entry in journal.entries()] == ["os"]
    journal.write("os", "ended")
    journal.write("init", "begun")
    assert [entry.event for entry in journal.entries()] == ["begun", "ended", "begun"]


def test_a_broken_line_in_the_middle_is_an_error_with_its_place(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "bootstrap", dry_run=False)
    journal.write("os", "begun")
    path = tmp_path / "state" / NAME
    path.write_text(f"nonsense\n{path.read_text()}", "utf-8")
    with pytest.raises(SiteError, match="line 1"):
        journal.entries()
