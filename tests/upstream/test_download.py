"""A bundle comes from its publishers whole, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows._command import execute
from flows.bundle import app
from model.bundle import load_bundle, verify
from tests.upstream.publishers import Publishers


def ran(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = execute(app, "flows.bundle", [*argv, "--json", "-"])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else {}


def test_a_download_is_a_bundle_that_bootstrap_takes(
    publishers: Publishers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "bundle"
    code, report = ran(capsys, "download", "--output", str(folder), "--sources", str(publishers.sources))
    assert (code, report["good"]) == (0, True), report
    bundle = load_bundle(folder)
    verify(folder, bundle)
    assert ran(capsys, "verify", str(folder))[0] == 0
