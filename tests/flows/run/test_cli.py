"""A command line becomes a call, and whatever is wrong with it an exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flows._run.cli import execute
from flows._run.lifecycle import run_flow
from flows._run.options import DEFAULT_INVENTORY, Inventory, Json, Options
from model.report.outcome import Status
from tests.flows.plumbing import ROOT, every, site


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return site(tmp_path)


def trial(inventory: Inventory = DEFAULT_INVENTORY, json: Json = None, count: int = 1) -> int:
    """Do nothing."""
    return run_flow("trial", Options(inventory=inventory, json=json), every(Status.DRIFT if count == 2 else Status.OK))


def test_the_exit_code_of_a_command_is_that_of_its_flow(folder: Path) -> None:
    assert execute(trial, "flows.trial", ["--inventory", str(folder)]) == 0
    assert execute(trial, "flows.trial", ["--inventory", str(folder), "--count", "2"]) == 2


@pytest.mark.parametrize("wrong", [["--nope"], ["--count", "many"], ["stray"], ["--inventory"]])
def test_wrong_arguments_exit_1_since_2_is_drift(
    folder: Path, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(trial, "flows.trial", wrong) == 1
    assert "--help" in capsys.readouterr().err


def test_wrong_arguments_are_reported_where_a_report_was_asked_for(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    assert execute(trial, "flows.trial", ["--nope", "--inventory", str(folder), f"--json={target}"]) == 1
    report = json.loads(target.read_text())
    assert report["exit"] == 1
    assert "--nope" in report["outcomes"][0]["message"]


def test_help_exits_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(trial, "flows.trial", ["--help"]) == 0
    assert "MATRIX_FLEET_INVENTORY" in capsys.readouterr().out


def test_a_reader_that_went_away_is_no_traceback(folder: Path) -> None:
    code = "from tests.flows.run.test_cli import trial; from flows._run.cli import run; run(trial, 'flows.trial')"
    argv = [sys.executable, "-c", code, "--inventory", str(folder), "--json", "-"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
