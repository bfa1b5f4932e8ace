"""Templates are compiled once; what changed, or is compiled otherwise, is compiled anew."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader

from model.rollout.compiled_templates import CompiledTemplates

TRIMMED, PLAIN = {"trim_blocks": True}, {"trim_blocks": False}


def environment(folder: Path, options: dict[str, Any]) -> Environment:
    cache = CompiledTemplates(folder, options)
    return Environment(loader=FileSystemLoader(folder), bytecode_cache=cache, autoescape=True, **options)


def rendered(folder: Path, options: dict[str, Any]) -> tuple[str, int]:
    """Render the template in an environment of its own; return the text, and how many templates were compiled."""
    compiled: list[str] = []

    class Counting(Environment):
        def compile(self, *args: Any, **more: Any) -> Any:
            compiled.append("once")
            return super().compile(*args, **more)

    here = environment(folder, options)
    here.__class__ = Counting
    return here.get_template("a.j2").render(name="n"), len(compiled)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "a.j2").write_text("{% if name %}\n{{ name }}\n{% endif %}\n", "utf-8")
    return tmp_path


def test_a_template_is_compiled_once_until_it_changes(folder: Path) -> None:
    assert [rendered(folder, TRIMMED) for _ in range(3)] == [("n\n", 1), ("n\n", 0), ("n\n", 0)]
    (folder / "a.j2").write_text("other {{ name }}\n", "utf-8")
    assert [rendered(folder, TRIMMED)[1] for _ in range(2)] == [1, 0]
    assert rendered(folder, TRIMMED)[0] == "other n"


def test_other_options_are_compiled_apart(folder: Path) -> None:
    assert rendered(folder, TRIMMED) == ("n\n", 1)
    assert rendered(folder, PLAIN) == ("\nn\n", 1)
    assert rendered(folder, TRIMMED) == ("n\n", 0)


def test_a_spoiled_file_is_compiled_anew(folder: Path) -> None:
    rendered(folder, TRIMMED)
    (kept,) = (folder / "__pycache__").iterdir()
    for spoiled in (b"", kept.read_bytes()[:-5]):
        kept.write_bytes(spoiled)
        assert rendered(folder, TRIMMED) == ("n\n", 1)


def test_where_nothing_can_be_kept_it_works_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "__pycache__").write_text("in the way", "utf-8")
    assert [rendered(folder, TRIMMED) for _ in range(2)] == [("n\n", 1)] * 2
    (folder / "__pycache__").unlink()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert [rendered(folder, TRIMMED) for _ in range(2)] == [("n\n", 1)] * 2
    assert not (folder / "__pycache__").exists()
