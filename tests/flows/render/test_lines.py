"""At sixty columns nothing that a person copies is broken: no path, no command, no line of a diff."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from flows._render.line import Line
from flows._render.words import printable
from flows._run.options import Options
from flows._run.screen import Screen
from model.report.outcome import Outcome, Status
from tests.flows.synthetic import report

COLUMNS = 60
COMMAND = "python -m flows.firewall --dry-run --limit db-1,db-2,db-3 --inventory /srv/sites/production"
FOLDER = Path("/srv/sites/production/reports with blanks/20261123T220005Z-verify_ports-and-a-long-name")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def screen_on(stream: Terminal, monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Return a screen on a terminal of sixty columns."""
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    monkeypatch.setenv("TERM", "vt100")
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, stream)
    screen = Screen(Options(no_color=True))
    assert (screen.out.width, screen.out.is_terminal) == (COLUMNS, True)
    return screen


def folded(text: str, indent: int = 2) -> list[str]:
    return Line(text, "", indent).folded(COLUMNS, printable)


def test_prose_is_folded_under_its_indent() -> None:
    lines = folded("word " * 40)
    assert len(lines) > 3
    assert all(len(line) <= COLUMNS for line in lines)
    assert {line[: len(line) - len(line.lstrip())] for line in lines} == {"  ", "    "}


def test_a_command_stays_in_one_piece() -> None:
    lines = folded(f"next: look at what differs there, then run `{COMMAND}` and look again at the hosts")
    assert sum(f"`{COMMAND}`" in line for line in lines) == 1
    assert all(len(line) <= COLUMNS for line in lines if COMMAND not in line)
    bare = folded("next: when that is done on each of them, python -m flows.bootstrap --dry-run shows what is left")
    assert sum("python -m flows.bootstrap --dry-run" in line for line in bare) == 1


def test_a_path_stays_in_one_piece() -> None:
    path = f"/etc/{'long-folder-name/' * 6}file.conf"
    assert sum(path in line for line in folded(f"the file {path} on the host is not as declared")) == 1


def test_lines_that_a_text_has_itself_are_folded_each() -> None:
    lines = folded(f"refused, nothing was changed anywhere:\n{'word ' * 20}\nthe end")
    assert lines[0] == "  refused, nothing was changed anywhere:"
    assert lines[-1] == "    the end"
    assert all(len(line) <= COLUMNS for line in lines)


def test_the_summary_at_sixty_columns_breaks_no_path_no_command_and_no_diff(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = "+-A ufw-user-input -p tcp -m multiport --dports 5432,8000,9187,10250 -s 10.20.1.13/32 -j ACCEPT"
    outcome = Outcome("db-1", "rules", Status.DRIFT, "one differs", next=f"run `{COMMAND}`", evidence=[rule])
    terminal = Terminal()
    screen = screen_on(terminal, monkeypatch)
    screen.summary(replace(report(bad=True), outcomes=(outcome,)).to_json(), FOLDER)
    text = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    for unbroken in (f"`{COMMAND}`", rule, str(FOLDER / "report.html")):
        assert unbroken in text
    others = [line for line in text.splitlines() if not any(word in line for word in (COMMAND, rule, str(FOLDER)))]
    assert max(map(len, others)) <= COLUMNS


def test_an_error_at_sixty_columns_breaks_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    screen_on(terminal, monkeypatch).error(f"the site cannot be loaded from {FOLDER.parent}", f"run `{COMMAND}`")
    assert f"`{COMMAND}`" in terminal.getvalue()
