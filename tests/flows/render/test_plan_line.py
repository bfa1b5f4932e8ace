"""A plan, and a run that carried one out, end in one line with the report's own figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows._render.html.data import page_data
from flows._render.plan_line import plan_line
from flows._render.summary import summary
from flows._run.lifecycle import Context, FlowResult
from model.errors import PlanRefused
from model.report.outcome import Outcome, Status
from tests.flows.plumbing import conducted, every, site

ADDED = "--- x (is)\n+++ x (should be)\n@@ -0,0 +1 @@\n+allow tcp 22 from 10.0.0.1\n"


def body(*outcomes: Outcome) -> Any:
    return lambda _context: FlowResult(outcomes, tuple(dict.fromkeys(outcome.host for outcome in outcomes)))


def planned(host: str) -> Outcome:
    return Outcome(host, "rules", Status.DRIFT, "differs", next="run without --dry-run", evidence=ADDED)


def ok(host: str) -> Outcome:
    return Outcome(host, "rules", Status.OK)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return site(tmp_path)


def test_a_dry_run_ends_in_its_plan(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = conducted(folder, body(planned("w-1"), planned("w-2"), ok("w-3")), changes=True, dry_run=True)
    assert code == 2
    assert (report["dry_run"], report["plan"]) == (True, {"add": 2, "change": 0, "remove": 0, "hosts": 2})
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].strip() == "Plan: 2 to add, 0 to change, 0 to remove on 2 hosts."
    assert lines[-1].strip().startswith("report ")
    assert page_data(report)["plan"] == lines[-2].strip()


def test_a_dry_run_with_nothing_to_do_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, report = conducted(folder, body(ok("w-1"), ok("w-2")), changes=True, dry_run=True)
    assert "  No changes. 2 hosts are as declared.\n" in capsys.readouterr().out
    assert report["plan"] == {"add": 0, "change": 0, "remove": 0, "hosts": 0}


def test_a_run_tells_what_it_did(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = Outcome("w-1", "rules", Status.CHANGED, evidence=ADDED)
    _, report = conducted(folder, body(done, ok("w-2")), changes=True)
    assert (report["dry_run"], report["plan"]["add"]) == (False, 1)
    assert "  1 added, 0 changed, 0 removed on 1 host.\n" in capsys.readouterr().out


@pytest.mark.parametrize("status", [Status.FAILED, Status.MISSING, Status.DRIFT, Status.UNPROVEN])
def test_a_host_that_is_not_known_to_be_as_declared_is_not_counted_so(folder: Path, status: Status) -> None:
    bad = Outcome("w-2", "rules", status, "told", next="look at it")
    _, report = conducted(folder, body(ok("w-1"), bad), changes=True, dry_run=True)
    assert plan_line(report) == "Plan: 0 to add, 0 to change, 0 to remove on 0 hosts; 1 of 2 hosts is as declared."


def test_a_host_that_nothing_was_heard_of_is_not_as_declared(folder: Path) -> None:
    quiet = FlowResult((ok("w-1"),), ("w-1", "w-2"))
    _, report = conducted(folder, lambda _context: quiet, changes=True, dry_run=True)
    assert plan_line(report).endswith("; 1 of 2 hosts is as declared.")


def test_a_run_that_was_stopped_has_no_plan(folder: Path) -> None:
    def refused(_context: Context) -> FlowResult:
        raise PlanRefused("would lock us out")

    code, report = conducted(folder, refused, changes=True, dry_run=True)
    assert code == 1
    assert "plan" not in report
    assert plan_line(report) == ""


def test_a_run_that_only_looks_has_no_plan(folder: Path) -> None:
    _, report = conducted(folder, every(Status.DRIFT))
    assert "plan" not in report
    assert not any("Plan:" in line.text or "No changes" in line.text for line in summary(report))
