"""`flows.report` shows earlier runs and says what differs between two."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flows._render.difference import difference
from flows._run.cli import execute
from flows._run.folder import canonical
from flows._run.lifecycle import Context, FlowResult
from flows.report import app
from model.report.outcome import Outcome, Status
from tests.flows.plumbing import conducted, every, site
from tests.flows.synthetic import report


def reporting(*arguments: str) -> int:
    return execute(app, "flows.report", arguments)


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str]:
    paths = []
    for name, written in (("good", report()), ("bad", report(bad=True))):
        path = tmp_path / f"{name}.json"
        path.write_text(canonical(replace(written, run=name).to_json()))
        paths.append(str(path))
    return paths[0], paths[1]


def test_the_newest_report_is_shown_with_exit_0_even_if_it_was_bad(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = site(tmp_path)
    conducted(folder, every(Status.DRIFT))
    capsys.readouterr()
    assert reporting("show", "--inventory", str(folder)) == 0
    assert capsys.readouterr().out.startswith("NOT AS DECLARED: trial")


def test_a_report_is_named_by_flow_by_run_or_by_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = site(tmp_path)
    run = conducted(folder, every(Status.OK))[1]["run"]
    capsys.readouterr()
    for name in ("latest-trial", run, str(folder / "reports" / run), str(folder / "reports" / run / "report.json")):
        assert reporting("show", name, "--inventory", str(folder), "--json", "-") == 0
        assert json.loads(capsys.readouterr().out)["run"] == run


@pytest.mark.parametrize(
    "text", [None, "{", "[]", '{"schema": "something/else"}', '{"schema": "matrix-fleet/report/1"}']
)
def test_what_is_no_report_exits_1(tmp_path: Path, text: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text)
    assert reporting("show", str(path), "--inventory", str(tmp_path)) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_a_report_is_rendered_anew(two: tuple[str, str], tmp_path: Path) -> None:
    assert reporting("show", two[1], "--render", str(tmp_path / "anew")) == 0
    files = {"report.json", "report.xml", "report.html", "proof.json"}
    assert {path.name for path in (tmp_path / "anew").iterdir()} == files


def test_a_report_does_not_differ_from_itself(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert reporting("diff", two[0], two[0]) == 0
    assert "no difference" in capsys.readouterr().out


def test_what_broke_between_two_runs_exits_2_and_is_told(
    two: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert reporting("diff", *two) == 2
    out = capsys.readouterr().out
    assert "changed db-1 rules: ok -> drift (2 rules differ from the matrix)" in out
    assert "gone    st-4 rules: was ok" in out
    assert "new" not in out.replace("new-", "")


def test_runs_of_two_flows_are_compared_with_a_warning(
    two: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reporting("diff", *two)
    assert "two flows" not in capsys.readouterr().out
    other = tmp_path / "other.json"
    other.write_text(json.dumps(report().to_json() | {"flow": "firewall"}), "utf-8")
    reporting("diff", two[0], str(other))
    assert "two flows, verify_ports and firewall" in capsys.readouterr().out


def test_the_difference_as_json_is_alone_on_standard_output(
    two: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert reporting("diff", *two, "--json", "-") == 2
    document = json.loads(capsys.readouterr().out)
    assert document["equal"] is False
    assert {change["kind"] for change in document["changes"]} == {"outcome", "cell"}


def test_a_difference_turned_round_swaps_new_and_gone() -> None:
    good, bad = report().to_json(), report(bad=True).to_json()
    forth = {(change.what, change.before, change.after) for change in difference(good, bad)}
    back = {(change.what, change.after, change.before) for change in difference(bad, good)}
    assert forth == back


def test_counts_of_packets_are_no_difference() -> None:
    first = report()
    again = replace(first, cells=tuple(replace(cell, probed=cell.probed + 1) for cell in first.cells or ()), loss=9)
    assert difference(first.to_json(), again.to_json()) == []


def test_two_equal_runs_that_took_different_times_are_equal(tmp_path: Path) -> None:
    folder = site(tmp_path)

    def looked(seconds: float) -> Callable[[Context], FlowResult]:
        words = f"was looked at as root in {seconds:.2f} s"
        return lambda context: FlowResult(tuple(Outcome(host, "thing", Status.OK, words) for host in context.hosts))

    first, second = (conducted(folder, looked(seconds))[1]["run"] for seconds in (0.18, 12.3))
    assert reporting("diff", first, second, "--inventory", str(folder)) == 0
    other = conducted(folder, every(Status.OK))[1]["run"]
    assert reporting("diff", first, other, "--inventory", str(folder)) == 2
