"""The picture of a row's walk shows the imports that are there, and no others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from flows import docs
from flows._run.cli import execute
from flows._site.documents.walk import WALK, WAYS, WalkModule, picture
from tests.flows.test_docs import ROOT, SITE
from tests.mutation import REFERENCE


def tree(module: str) -> ast.Module:
    return ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text("utf-8"))


def imported(module: str) -> set[str]:
    """Everything a module imports, for types alone too: modules, and what stands in them."""
    names: set[str] = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def unlike(walk: Sequence[WalkModule]) -> Iterator[str]:
    """Say in which ways a walk and the code differ."""
    modules = [visited.module for visited in walk]
    for place, visited in enumerate(walk):
        real = imported(visited.module) & set(modules)
        yield from (f"{visited.module} does not import {name}" for name in set(visited.stands_on) - real)
        yield from (f"{visited.module} imports {name}, unseen" for name in real - set(visited.stands_on))
        yield from (f"{visited.module} climbs to {name}" for name in real & set(modules[place:]))
        defined = {node.name for node in tree(visited.module).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        yield from (f"{visited.module} has no {word.name}" for word in visited.words if word.name not in defined)


def test_every_arrow_is_an_import_and_every_import_an_arrow() -> None:
    assert list(unlike(WALK)) == []


def test_each_module_is_visited_once_and_each_word_means_one_thing() -> None:
    modules = [visited.module for visited in WALK]
    words = [word.word for visited in WALK for word in visited.words]
    assert len(modules) == len(set(modules))
    assert len(words) == len(set(words))
    assert {visited.way for visited in WALK} == set(WAYS)


@pytest.mark.parametrize(
    ("module", "change", "says"),
    [
        ("model.ufw.plan", {"stands_on": ("model.ufw.state",)}, "model.ufw.plan imports model.ufw.change, unseen"),
        ("model.ufw.change", {"stands_on": ("model.ufw.state", "model.ufw.plan")}, "does not import model.ufw.plan"),
        ("model.verify.pairs", {"words": (replace(WALK[0].words[0], name="rows_of"),)}, "has no rows_of"),
    ],
)
def test_a_picture_that_is_not_the_codes_is_noticed(module: str, change: dict[str, object], says: str) -> None:
    walk = [
        replace(visited, **change) if visited.module == module else visited  # type: ignore[arg-type]
        for visited in WALK
    ]
    assert [says in line for line in unlike(walk)] == [True]


def test_a_climb_is_noticed() -> None:
    assert "model.matrix.matrix climbs to model.site.rows" in list(unlike((WALK[1], WALK[0], *WALK[2:])))


def test_the_picture_draws_the_table() -> None:
    drawn = picture(SITE)
    arrows = re.findall(r"^    (\w+) --> (\w+)$", drawn, re.MULTILINE)
    named = {visited.module.replace(".", "_"): visited.module for visited in WALK}
    shown = {(named[below], named[above]) for below, above in arrows}
    assert shown == {(below, visited.module) for visited in WALK for below in visited.stands_on}
    assert len(arrows) == len(shown)
    assert all(f"{word.word}" in drawn for visited in WALK for word in visited.words)


def test_a_stale_picture_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "inventory").symlink_to(REFERENCE)
    page = tmp_path / "docs" / "architecture.md"
    page.write_text((ROOT / "docs" / "architecture.md").read_text("utf-8"), "utf-8")
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    execute(docs.main, "flows.docs", [])
    assert execute(docs.main, "flows.docs", ["--check"]) == 0
    arrow = "    model_ufw_state --> model_ufw_plan\n"
    text = page.read_text("utf-8")
    assert arrow in text
    page.write_text(text.replace(arrow, ""), "utf-8")
    capsys.readouterr()
    assert execute(docs.main, "flows.docs", ["--check"]) == 2
    assert "stale: docs/architecture.md" in capsys.readouterr().out
