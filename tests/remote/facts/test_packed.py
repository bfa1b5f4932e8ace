"""Answers that come packed are what was printed, whatever stands before them, or an error."""

from __future__ import annotations

import gzip
import subprocess

import pytest

from model.errors import ProtocolError
from remote.facts.packed import packing, unpacked


@pytest.mark.parametrize("path", ["/usr/bin:/bin", "/nowhere"], ids=["gzip", "no gzip"])
def test_what_a_shell_prints_arrives_packed_or_not(path: str) -> None:
    script = f"answer() {{ echo one; echo two; }}\n{packing('answer')}"
    done = subprocess.run(("/bin/sh", "-s"), input=script.encode(), env={"PATH": path}, stdout=-1, check=True)
    assert unpacked("w-1", "its rules", done.stdout) == b"one\ntwo\n"
    assert done.stdout.startswith(b"one") == (path == "/nowhere")


def test_what_a_shell_greets_with_is_passed_over() -> None:
    assert unpacked("w-1", "its rules", b"hi\n" + gzip.compress(b"rules")) == b"rules"


@pytest.mark.parametrize("spoil", [lambda packed: packed[:-9], lambda packed: packed[:12] + b"\xff\xff" + packed[14:]])
def test_what_is_cut_short_or_damaged_is_no_answer(spoil: object) -> None:
    with pytest.raises(ProtocolError, match=r"w-1: the answer about its rules is (cut short|damaged)"):
        unpacked("w-1", "its rules", spoil(gzip.compress(b"rules " * 100)))  # type: ignore[operator]
