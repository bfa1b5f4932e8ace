"""`--help` of every command fits a narrow terminal, and breaks no command that it shows."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from flows.__main__ import listing
from flows._run import commands
from flows._run.cli import application, execute
from flows._run.help import laid_out

PLACES = [(name, word) for name in commands.names() for word in commands.describe(name)]
# What a person copies: in backticks, or one that stands by itself with all behind it, up to a description.
QUOTED = re.compile(r"`[^`\n]+`")
OWN_LINE = re.compile(r"^\s*(?:Examples?: )?((?:sudo \S+|source <\(|)\S* ?-m flows(?:\S| (?! ))*)", re.MULTILINE)


def app_of(name: str) -> Any:
    module = importlib.import_module(f"flows.{name}")
    if hasattr(module, "app"):
        return module.app
    app = application()
    app.command()(module.main)
    return app


def helped(name: str, word: str, columns: int) -> list[str]:
    """Return the lines of a command's help on a terminal of this width."""
    written = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(written):
        patch.setenv("COLUMNS", str(columns))
        assert execute(app_of(name), f"flows.{name}", [*filter(None, [word]), "--help"]) == 0
    return written.getvalue().splitlines()


def copied(name: str, word: str) -> Iterator[str]:
    root: Any = get_command(app_of(name))
    command = root.commands[word] if word else root
    text = re.sub(r"(`[^`\n]*)\n\s*([^`\n]*`)", r"\1 \2", command.help)
    yield from QUOTED.findall(text)
    yield from (match[1].rstrip() for match in OWN_LINE.finditer(text))
    for parameter in command.params:
        yield from QUOTED.findall(getattr(parameter, "help", None) or "")


@pytest.mark.parametrize(("name", "word"), PLACES)
def test_no_command_is_broken_at_60_columns(name: str, word: str) -> None:
    lines = helped(name, word, 60)
    broken = [command for command in copied(name, word) if not any(command in line for line in lines)]
    assert broken == []


@pytest.mark.parametrize(("name", "word"), PLACES)
def test_nothing_runs_over_at_80_columns_and_at_60_only_commands(name: str, word: str) -> None:
    assert [line for line in helped(name, word, 80) if len(line) > 80] == []
    over = [line for line in helped(name, word, 60) if len(line) > 60]
    assert [line for line in over if not re.match(r"\s*(sudo |source |`|python -m )", line)] == []


def test_every_command_shows_an_example_that_is_judged() -> None:
    shown = {
        name: [command for word in commands.describe(name) for command in copied(name, word)]
        for name in commands.names()
    }
    assert [name for name, found in shown.items() if not any(f"-m flows.{name} " in f"{one} " for one in found)] == [
        "completion"
    ]


def test_what_textwrap_would_break_is_seen_by_these_tests() -> None:
    assert [match[1] for match in OWN_LINE.finditer("Example: python -m flows.firewall --limit a --dry-run")] == [
        "python -m flows.firewall --limit a --dry-run"
    ]
    assert OWN_LINE.findall("  sudo .venv/bin/python -m flows.schedule hosts  once") == [
        "sudo .venv/bin/python -m flows.schedule hosts"
    ]


def test_a_table_puts_its_texts_below_where_there_is_no_room_beside() -> None:
    first = "python -m flows.it do     the first thing, and\n                          another"
    text = f"Do it.\n\n\b\n{first}\npython -m flows.it  all"
    assert laid_out(text, 70).splitlines()[2:] == [
        "python -m flows.it do  the first thing, and another",
        "python -m flows.it     all",
    ]
    assert laid_out(text, 50).splitlines()[2:] == [
        "python -m flows.it do",
        "    the first thing, and another",
        "python -m flows.it",
        "    all",
    ]


def test_an_argument_says_once_that_it_may_be_missing() -> None:
    assert "[action] [HOST]..." in " ".join("\n".join(helped("firewall", "", 120)).split())
    assert "[[" not in "".join(helped(name, word, 120)[0] for name, word in PLACES)


def test_the_list_of_commands_fits_60_columns_and_breaks_none() -> None:
    listed = [piece for line in listing() for piece in line.folded(60, str)]
    assert [piece for piece in listed if len(piece) > 60] == []
    for command in ("`python -m flows.NAME`", "`python -m flows NAME`"):
        assert any(command in piece for piece in listed)
    hung = [piece for piece in listed if piece.startswith(" " * 3)]
    assert {len(piece) - len(piece.lstrip()) for piece in hung} == {2 + len("verify_ports") + 2}
