"""docs/settings.md names every variable of the environment that the code reads, and every shared flag and event."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from flows._run.events import Kind
from flows._run.shared import Flag
from tests.flows.plumbing import ROOT

FOLDERS = ("model", "remote", "tasks", "flows", "checks", "lab", "benchmarks", "tests")
TEXT = (ROOT / "docs" / "settings.md").read_text("utf-8")
SOURCES = {
    path: ast.parse(path.read_text("utf-8"))
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
    # Others' programs, which benchmarks are compared with, are installed in a hidden folder.
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
}
# What is read in one go and is no variable's name: the whole environment for a program that is started.
_WHOLE = "os.environ"


def constant(tree: ast.AST, name: str) -> Iterator[str]:
    """Yield the texts that a module gives a name, there or where it takes it from."""
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            assert isinstance(node, ast.Assign)
            if isinstance(node.value, ast.Constant):
                yield str(node.value.value)
        if isinstance(node, ast.ImportFrom) and node.module:
            origin = next((alias.name for alias in node.names if (alias.asname or alias.name) == name), None)
            path = ROOT / f"{node.module.replace('.', '/')}.py"
            if origin and path in SOURCES:
                yield from constant(SOURCES[path], origin)


def read_in(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions by which a module reads single variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == _WHOLE and isinstance(node.ctx, ast.Load):
            yield node.slice
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("os.environ.get", "os.environ.pop", "os.getenv"):
                yield node.args[0]
            yield from (word.value for word in node.keywords if word.arg == "envvar")


def words_of_loop(tree: ast.AST, name: str) -> Iterator[str]:
    """Yield the words that a name of a loop or a comprehension stands for, one after the other."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.comprehension)) and ast.unparse(node.target) == name:
            yield from (str(word.value) for word in ast.walk(node.iter) if isinstance(word, ast.Constant))


def variables(path: Path, tree: ast.AST) -> set[str]:
    """Return the names of the variables that a module reads; an expression nobody can read is an error."""
    names: set[str] = set()
    for expression in read_in(tree):
        if isinstance(expression, ast.Constant):
            names.add(str(expression.value))
        elif isinstance(expression, (ast.Name, ast.Attribute)):
            name = expression.id if isinstance(expression, ast.Name) else expression.attr
            values = set(constant(tree, name)) or {
                value for other in SOURCES.values() for value in constant(other, name) if value.isupper()
            }
            names |= values or set(words_of_loop(tree, name))
        else:
            pytest.fail(f"{path}: {ast.unparse(expression)}: which variable is this?")
    return names


def undocumented(names: set[str], text: str) -> set[str]:
    return {name for name in names if f"`{name}`" not in text}


def test_every_variable_that_the_code_reads_is_documented() -> None:
    names = {name for path, tree in SOURCES.items() for name in variables(path, tree)}
    assert {"MATRIX_FLEET_INVENTORY", "MATRIX_FLEET_CONFIG", "MATRIX_FLEET_LAB", "MONITOR_SERVICE_RESULT"} <= names
    assert undocumented(names, TEXT) == set()


def test_every_variable_of_our_own_that_the_code_names_is_documented() -> None:
    named = {
        word
        for tree in SOURCES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for word in re.findall(r"MATRIX_FLEET_[A-Z_]*[A-Z]", node.value)
    }
    assert undocumented(named - {"MATRIX_FLEET_NEW"}, TEXT) == set()


def test_a_variable_that_nobody_documented_is_found(tmp_path: Path) -> None:
    path = tmp_path / "new.py"
    path.write_text('import os\nNAME = "MATRIX_FLEET_NEW"\nprint(os.environ.get(NAME), os.environ["OTHER_NEW"])\n')
    names = variables(path, ast.parse(path.read_text("utf-8")))
    assert names == {"MATRIX_FLEET_NEW", "OTHER_NEW"}
    assert undocumented(names, TEXT) == names


def test_every_shared_flag_and_every_event_is_documented() -> None:
    for flag in get_args(Flag):
        assert f"`--{flag.replace('_', '-')}" in TEXT
    for kind in get_args(Kind):
        assert f"| `{kind}` |" in TEXT
