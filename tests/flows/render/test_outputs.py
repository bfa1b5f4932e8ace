"""A run's reports get where they belong, whole or not at all, and standard output stays clean."""

from __future__ import annotations

import json
import os
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from flows._run import folder as _folder
from flows._run.lifecycle import Context, FlowResult, run_flow
from flows._run.options import Options
from model.report.outcome import Status
from tests.flows.plumbing import conducted, every, site


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return site(tmp_path)


def test_two_runs_in_one_second_have_two_folders(folder: Path) -> None:
    started = datetime(2026, 11, 23, 22, 0, 5, tzinfo=UTC)
    first, second = (_folder.write_run(folder, "trial", started, lambda run: {"run": run})[0] for _ in range(2))
    assert (first, second) == ("20261123T220005Z-trial", "20261123T220005Z-trial-2")
    assert (folder / "reports" / "latest-trial").readlink() == Path(second)
    assert (folder / "reports" / second / "run").read_text() == second


def test_a_report_that_fails_halfway_leaves_nothing(folder: Path) -> None:
    def files(run: str) -> NoReturn:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        _folder.write_run(folder, "trial", datetime.now(UTC), files)
    assert list((folder / "reports").iterdir()) == []


def test_a_report_that_cannot_be_written_costs_exit_1_and_the_result_is_still_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "reports").write_text("in the way")
    code = run_flow("trial", Options(inventory=folder), every(Status.DRIFT))
    assert code == 1
    printed = capsys.readouterr()
    assert "cannot be written" in printed.err
    assert "19 drift" in printed.out


def test_json_on_standard_output_is_alone_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def body(context: Context) -> FlowResult:
        context.say("working")
        with context.progress(3, "probing") as advance:
            advance(3)
        return every(Status.DRIFT)(context)

    assert conducted(folder, body, json="-")[0] == 2
    assert json.loads(capsys.readouterr().out)["exit"] == 2


def test_json_goes_into_a_pipe_without_replacing_it(folder: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()
    conducted(folder, every(Status.OK), json=str(pipe))
    reader.join(10)
    assert json.loads(heard[0])["good"] is True
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_json_path_that_cannot_be_written_is_refused_before_the_body(folder: Path, tmp_path: Path) -> None:
    options = Options(inventory=folder, json=str(tmp_path / "nowhere" / "out.json"))
    assert run_flow("trial", options, lambda _context: pytest.fail("was run")) == 1


def test_quiet_says_nothing_of_a_good_run_and_one_line_of_a_bad_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conducted(folder, every(Status.OK), quiet=True)
    good = capsys.readouterr()
    assert (good.out, good.err) == ("", "")
    conducted(folder, every(Status.DRIFT), quiet=True)
    bad = capsys.readouterr()
    assert bad.out == ""
    assert bad.err.startswith("NOT AS DECLARED")
