"""Tables and results go to standard output; standard error is for progress and messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows import compliance, report, site
from flows._run.cli import execute
from flows._run.lifecycle import Context, FlowResult
from model.report.outcome import Outcome, Status
from tests.flows.plumbing import conducted
from tests.flows.plumbing import site as copied

COMMANDS: tuple[tuple[Callable[..., int] | Any, str, tuple[str, ...], str], ...] = (
    (compliance.main, "flows.compliance", ("--list",), "prerequisites-1-1"),
    (compliance.main, "flows.compliance", ("--explain", "firewall/rules"), "firewall/rules"),
    (site.app, "flows.site", ("show",), "reached at"),
    (report.app, "flows.report", ("show",), "trial"),
    (report.app, "flows.report", ("diff", "latest-trial", "latest-trial"), "no difference"),
)


@pytest.mark.parametrize(("command", "name", "arguments", "shown"), COMMANDS)
def test_what_a_command_is_asked_for_is_on_standard_output(
    command: Any, name: str, arguments: tuple[str, ...], shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(tmp_path)
    conducted(folder, lambda _context: FlowResult((Outcome("w-1", "thing", Status.OK),), ("w-1",)))
    capsys.readouterr()
    assert execute(command, name, [*arguments, "--inventory", str(folder)]) == 0
    output = capsys.readouterr()
    assert shown in output.out
    assert output.err == ""


def test_what_a_flow_says_on_the_way_is_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def body(context: Context) -> FlowResult:
        context.say("looking at 1 host")
        return FlowResult((Outcome("w-1", "thing", Status.OK),), ("w-1",))

    conducted(copied(tmp_path), body)
    output = capsys.readouterr()
    assert output.err == "looking at 1 host\n"
    assert output.out.startswith("GOOD: trial")


def test_sections_of_the_list_carry_their_titles(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(compliance.main, "flows.compliance", ["--list"]) == 0
    assert "\n  Phase 1.1 PostgreSQL (CloudNativePG)\n" in capsys.readouterr().out
    assert execute(compliance.main, "flows.compliance", ["--list", "--json", "-"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert {item["section"] for item in items if item["id"].startswith("phase-1.1-")} == {
        "Phase 1.1 PostgreSQL (CloudNativePG)"
    }
