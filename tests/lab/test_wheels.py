"""Python packages come into an image with their byte code, which is the same whenever and wherever it is made."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab import layers
from lab.bundle import wheels
from lab.bundle.recipe import TOOLS

_NAME = "matrix-synapse"
_UNCHECKED_HASH = 1


def _install(root: Path, monkeypatch: pytest.MonkeyPatch, *, has_python: bool) -> list[Path]:
    """Install a module without a package registry, compiled by the Python of this machine; return its byte code."""
    module = root / wheels.PLACE / "synapse" / "module.py"

    def put(argv: Sequence[str], *_: object, **__: object) -> None:
        assert "--no-compile" in argv
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text("ANSWER = 42\n")

    def compiled(inside: Path, argv: Sequence[str], _: Path) -> None:
        words = [f"{inside}{word}" if word.startswith("/usr/") else word for word in argv[1:]]
        subprocess.run((sys.executable, *words), check=True)

    (root / "usr/bin").mkdir(parents=True, exist_ok=True)
    if has_python:
        (root / "usr/bin/python3.11").touch()
    monkeypatch.setattr(wheels, "logged", put)
    monkeypatch.setattr(layers, "inside", compiled)
    wheels.install(root, _NAME, root / "log")
    return sorted(root.rglob("*.pyc"))


def test_the_byte_code_names_no_time_and_is_not_checked_against_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = _install(tmp_path, monkeypatch, has_python=True)
    first = code.read_bytes()
    assert int.from_bytes(first[4:8], "little") == _UNCHECKED_HASH
    os.utime(tmp_path / wheels.PLACE / "synapse" / "module.py", (1, 1))
    (code,) = _install(tmp_path, monkeypatch, has_python=True)
    assert code.read_bytes() == first


def test_a_root_without_a_python_gets_no_byte_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _install(tmp_path, monkeypatch, has_python=False) == []


def test_no_image_leaves_the_byte_code_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tools,) = (tools for tools in TOOLS if tools.wheels == _NAME)
    (code,) = _install(tmp_path, monkeypatch, has_python=True)
    left_out = {path for pattern in tools.without for path in tmp_path.glob(pattern)}
    assert not left_out & {code, *code.parents}
    assert any(code.is_relative_to(tmp_path / tree) for tree in tools.trees)
