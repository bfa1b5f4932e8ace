"""Every sentence of every rule over rendered objects is said of some spoiled object, and no exception is idle."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from model.rollout.invariants import rules, stopping
from model.rollout.invariants.rules import RULES
from model.rollout.invariants.stack import Stack
from model.rollout.rendered import RenderedComponent
from tests.model.rollout.red_relations import SCALERS
from tests.model.rollout.red_rows import ALL_RED
from tests.model.rollout.spoiling import Row, spoiled
from tests.model.rollout.stacks import stack

_FOLDER = Path(rules.__file__).parent
Sentence = tuple[str, int]
SEEN: tuple[tuple[str, tuple[Row, ...]], ...] = (("small", ALL_RED), ("5000 with autoscaling", SCALERS))

# Between them they have every component, with as many pods as there can be.
WITH_ALL = ("minio", "20000", "5000 with autoscaling")


@contextmanager
def _noting(lines: set[Sentence]) -> Iterator[None]:
    """Note each line of the rules' modules that is executed."""

    def note(frame: FrameType, event: str, _: Any) -> Any:
        path = Path(frame.f_code.co_filename)
        if path.parent != _FOLDER:
            return None
        if event == "line":
            lines.add((path.name, frame.f_lineno))
        return note

    before = sys.gettrace()
    sys.settrace(note)
    try:
        yield
    finally:
        sys.settrace(before)


def _sentences(path: Path) -> Iterator[Sentence]:
    """Yield where a module yields a sentence: its name and the line."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Yield) and isinstance(node.value, ast.JoinedStr):
            yield path.name, node.lineno


def test_every_sentence_of_every_rule_is_said_of_some_spoiled_object() -> None:
    said: set[Sentence] = set()
    for name, rows in SEEN:
        for rule, place, spoil in rows:
            broken = spoiled(stack(name), place, spoil)
            with _noting(said):
                list(RULES[rule](broken))
    redis = next(part for part in stack("small").components if part.name == "redis")
    twice = RenderedComponent(component=redis.component, objects=redis.objects[:1], files={})
    with _noting(said):
        list(RULES["owners"](Stack(stack("small").site, (redis, twice))))
    wanted = {sentence for path in _FOLDER.glob("*.py") for sentence in _sentences(path)}
    assert len(wanted) > 50
    assert sorted(wanted - said) == []


def test_every_exception_from_draining_is_of_a_container_that_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    known = set(stopping.ABRUPT)
    monkeypatch.setattr(stopping, "ABRUPT", {})
    found = {line.partition(" stops listening")[0] for name in WITH_ALL for line in stopping.draining(stack(name))}
    assert {f"{line.partition(':')[0]}/{line.rpartition(' ')[2]}" for line in found} == known


@pytest.mark.parametrize("key", [*stopping.TAKES, *stopping.COMMANDS])
def test_what_is_known_of_a_stop_is_of_a_container_that_there_is(key: str) -> None:
    there = {
        f"{workload.component.name}/{container['name']}"
        for name in ("small", "minio", "push gateway")
        for workload in stack(name).workloads
        for container in workload.containers
    }
    assert key in there
