"""Output that nobody reads decides nothing: a run goes on to its end, and its report is there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flows._run.folder import runs
from tests.flows.plumbing import ROOT, site

RUN = """
import os, sys
from pathlib import Path
from flows._run import cli
from flows._run.lifecycle import FlowResult, run_flow
from flows._run.options import Options
from model.report.outcome import Outcome, Status

def body(context):
    for host in context.hosts:
        context.say(f"{host} begins " + 3000 * "x")
        with open(sys.argv[1], "a") as done:
            done.write(f"{host}\\n")
        with context.progress(3, "a bar"):
            print(3000 * "y")
    return FlowResult(tuple(Outcome(host, "thing", Status.CHANGED, 300 * "z") for host in context.hosts))

def main(done: str) -> int:
    return run_flow("trial", Options(inventory=Path(INVENTORY), json=JSON), body, changes=True)

cli.run(main, "flows.trial")
"""


def _argv(folder: Path, json_target: str | None = None) -> list[str]:
    script = RUN.replace("INVENTORY", repr(str(folder))).replace("JSON", repr(json_target))
    return [sys.executable, "-c", script, str(folder / "done")]


def _all_done(folder: Path) -> None:
    report = json.loads((runs(folder, "trial")[-1] / "report.json").read_text())
    assert [outcome["host"] for outcome in report["outcomes"]] == (folder / "done").read_text().split()
    assert (report["exit"], report["good"]) == (0, True)


@pytest.mark.parametrize("reader", ["true", "head -1", "head -c 5000"])
@pytest.mark.parametrize("what", ["2>&1 |", "2>&1 >/dev/null |", "|"])
def test_a_run_goes_on_when_its_reader_goes_away(tmp_path: Path, reader: str, what: str) -> None:
    folder = site(tmp_path)
    script = f'exec 3>&1; {{ "$@"; echo $? >&3; }} {what} {reader} >/dev/null'
    done = subprocess.run(
        ("bash", "-c", script, "sh", *_argv(folder)), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "0\n", done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    _all_done(folder)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_run_that_was_started_without_streams_goes_on(tmp_path: Path, closed: str) -> None:
    folder = site(tmp_path)
    done = subprocess.run(("bash", "-c", f'"$@" {closed}', "sh", *_argv(folder)), cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0
    _all_done(folder)


def test_a_full_disk_behind_standard_output_is_told_and_stops_nothing(tmp_path: Path) -> None:
    folder = site(tmp_path)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            _argv(folder), cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    assert "standard output cannot be written: No space left on device" in done.stderr
    _all_done(folder)


def test_a_report_that_was_asked_for_and_not_read_is_no_success(tmp_path: Path) -> None:
    folder = site(tmp_path)
    with subprocess.Popen(
        _argv(folder, "-"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.close()
        heard = run.stderr.read()
        assert run.wait(60) == 1, heard
    assert "nobody reads it" in heard
    _all_done(folder)


def test_flows_write_in_one_place() -> None:
    # A dialogue is read by whoever answers it.
    allowed = {"flows/_run/screen.py", "flows/_run/events.py", "flows/_run/streams.py", "flows/_site/dialogue.py"}
    writes = re.compile(
        r"^\s*(\w+ = )?(print\(|sys\.std(out|err)\.(write|buffer)|(typer\.|click\.)?echo\()", re.MULTILINE
    )
    found = {
        str(path.relative_to(ROOT)) for path in (ROOT / "flows").rglob("*.py") if writes.search(path.read_text("utf-8"))
    }
    assert found - allowed == set()
