"""A command declares its own flags alone; the shared ones mean the same in every command."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Annotated

import pytest
import typer

from flows._run.cli import execute
from flows._run.options import Options
from flows._run.shared import SUDO, shared_flags
from tests.flows.plumbing import ROOT

SHARED = {"limit", "dry_run", "json", "events", "yes", "verbose", "quiet", "no_color", *SUDO}


@shared_flags(without=("limit",))
def trial(
    first: Annotated[int, typer.Option(help="Own, before.")] = 1,
    *,
    options: Options,
    last: Annotated[int, typer.Option(help="Own, behind.")] = 2,
) -> int:
    """Print what came."""
    print(first, last, options)
    return 0


def test_own_flags_stand_around_the_sites_and_before_those_of_the_run() -> None:
    names = list(inspect.signature(trial).parameters)
    assert names[:4] == ["first", "inventory", "last", *SUDO[:1]]
    assert names[-1] == "no_color"
    assert "limit" not in names
    assert "options" not in names


def test_a_command_gets_one_options(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--first", "7", "--inventory", "place", "--dry-run", "--json", "-", "-v"]
    assert execute(trial, "flows.trial", arguments) == 0
    wanted = Options(inventory=Path("place"), dry_run=True, json="-", verbose=True)
    assert capsys.readouterr().out == f"7 2 {wanted}\n"


def test_a_flag_that_was_left_out_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(trial, "flows.trial", ["--limit", "db-1"]) == 1
    assert "--limit" in capsys.readouterr().err


def test_sudos_password_is_taken_before_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(trial, "flows.trial", ["--ask-sudo-password", "--sudo-password-fd", "3"]) == 1
    seen = capsys.readouterr()
    assert "exclude each other" in seen.err
    assert seen.out == ""


@pytest.mark.parametrize("path", sorted((ROOT / "flows").glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_no_command_declares_a_shared_flag_itself(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.name != "body":
            own = {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)}
            assert not own & SHARED, node.name
