"""A publisher's manifest is read as YAML once; what is kept of it is the same, or is not used."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from model.rollout.publishers import objects_of

TEXT = """
kind: ConfigMap
metadata: {name: a}
data: {"on": "yes", number: "017"}
---
---
kind: Secret
metadata: {name: b, labels: {x: ""}}
"""
OBJECTS: list[Any] = [
    {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"on": "yes", "number": "017"}},
    {"kind": "Secret", "metadata": {"name": "b", "labels": {"x": ""}}},
]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of texts that were read as YAML."""
    texts: list[str] = []
    whole = yaml.load_all

    def load_all(text: str, **loader: Any) -> Any:
        texts.append(text)
        return whole(text, **loader)

    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(yaml, "load_all", load_all)
    return texts


def test_it_is_read_once_until_it_changes(tmp_path: Path, read: list[str]) -> None:
    assert [objects_of(TEXT, tmp_path) for _ in range(3)] == [OBJECTS] * 3
    assert read == [TEXT]
    other = TEXT.replace("017", "018")
    assert objects_of(other, tmp_path)[0]["data"]["number"] == "018"
    assert read == [TEXT, other]


def test_who_changes_what_was_returned_changes_nothing_that_is_kept(tmp_path: Path, read: list[str]) -> None:
    for _ in range(2):
        objects_of(TEXT, tmp_path)[0]["data"]["on"] = "no"
    assert objects_of(TEXT, tmp_path) == OBJECTS
    assert len(read) == 1


def test_what_json_cannot_say_is_read_each_time(tmp_path: Path, read: list[str]) -> None:
    day = date(2026, 11, 30)
    said = (("made: 2026-11-30\n", {"made": day}), ("1: one\n", {1: "one"}), ("2026-11-30: made\n", {day: "made"}))
    for text, value in said:
        assert [objects_of(text, tmp_path) for _ in range(2)] == [[value]] * 2
    assert len(read) == 6
    assert not list(tmp_path.rglob("*.json"))


def test_what_was_spoiled_is_read_anew(tmp_path: Path, read: list[str]) -> None:
    objects_of(TEXT, tmp_path)
    (kept,) = tmp_path.rglob("*.json")
    whole = kept.read_bytes()
    for spoiled in (b"", whole[:-5], whole.replace(b"017", b"018")):
        kept.write_bytes(spoiled)
        assert objects_of(TEXT, tmp_path) == OBJECTS
        assert kept.read_bytes() == whole
    assert len(read) == 4
