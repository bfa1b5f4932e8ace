"""The lint flow, and every other flow before it connects anywhere, stops on broken site files with exit 1."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows import firewall, lint
from flows._run.cli import execute
from model.check.lint import RULES
from tests.mutation import REFERENCE, WAIVED, cases, write

ROOT = REFERENCE.parent
BROKEN = cases("broken.yaml")
TRAPS = [case for case in cases("rules.yaml") if case.get("severity", "error") == "error"]


@pytest.fixture
def no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def _lint(folder: Path, *more: str) -> int:
    return execute(lint.main, "flows.lint", ["--inventory", str(folder), *more])


@pytest.mark.usefixtures("no_socket")
@pytest.mark.parametrize("case", BROKEN + TRAPS, ids=lambda case: f"{case.get('rule', 'schema')}: {case['at']}")
def test_broken_site_ends_with_exit_one_naming_file_and_field(
    case: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _lint(write(tmp_path / "site", case), "--verbose") == 1
    shown = "".join(capsys.readouterr())
    file, path = case["at"].split(" ", 1)
    assert file in shown
    assert path in shown
    assert "Traceback" not in shown


def test_reference_site_is_good(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert _lint(write(tmp_path / "site", {}), "--json", str(report)) == 0
    read = json.loads(report.read_text("utf-8"))
    assert read["good"] is True
    assert {finding["severity"] for finding in read["findings"]} <= {"warning", "waived"}


@pytest.mark.parametrize("number", [1, 2])
def test_a_person_is_told_how_many_errors_and_where_to_look(
    number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts = (("db-2", 32), ("db-3", 33))[:number]
    edits = {f"hosts:{host}.data.addresses.main": [f"10.30.1.{end}", f"fd20:1::{end}"] for host, end in hosts}
    folder = write(tmp_path / "site", {"set": edits})
    assert _lint(folder) == 1
    shown = "".join(capsys.readouterr())
    assert "`findings`" not in shown
    assert "named with its file and field" in shown
    assert firewall.main(inventory=folder, dry_run=True) == 1
    text = "".join(capsys.readouterr())
    assert f"lint finds {'1 error' if number == 1 else '2 errors'} in" in text


def test_findings_of_a_broken_site_are_in_the_report(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    folder = write(tmp_path / "site", {"set": {"site:domain": 5}})
    assert _lint(folder, "--json", str(report)) == 1
    (finding,) = json.loads(report.read_text("utf-8"))["findings"]
    assert {key: finding[key] for key in ("rule", "severity", "file", "path", "value")} == {
        "rule": "schema",
        "severity": "error",
        "file": "site.yaml",
        "path": "domain",
        "value": "5",
    }
    assert finding["fix"]


def test_lapsed_waiver_is_drift(tmp_path: Path) -> None:
    waivers = [{**WAIVED["site:waivers"][0], "expires": "2020-01-01"}]
    folder = write(tmp_path / "site", {"set": {**WAIVED, "site:waivers": waivers}})
    report = tmp_path / "report.json"
    assert _lint(folder, "--json", str(report)) == 2
    assert {outcome["status"] for outcome in json.loads(report.read_text("utf-8"))["outcomes"]} == {"ok", "drift"}


def test_limit_leaves_out_findings_about_other_hosts(tmp_path: Path) -> None:
    folder = write(tmp_path / "site", {"set": {"hosts:w-1.port": 2222}})
    assert _lint(folder) == 1
    assert _lint(folder, "--limit", "database") == 0
    assert _lint(folder, "--limit", "w-1") == 1


def test_every_finding_is_on_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "site", {"set": {"site:kubernetes.pod_cidrs": ["10.20.0.0/15", "fd44::/56"]}})
    report = tmp_path / "report.json"
    assert _lint(folder, "--json", str(report)) == 1
    shown = capsys.readouterr().out
    overlaps = [item for item in json.loads(report.read_text("utf-8"))["findings"] if item["rule"] == "cidr-overlap"]
    assert len({item["message"] for item in overlaps}) > 1
    for item in overlaps:
        assert f"{item['path']}: {item['message']} (found {item['value']})" in shown


def test_more_than_a_screenful_of_findings_is_shown_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"nonsense-{number}" for number in range(40)]
    assert _lint(write(tmp_path / "site", {"set": {"ports:rows.0.when": {"feature": words}}})) == 1
    shown = capsys.readouterr().out
    assert [word for word in words if f"(found {word})" not in shown] == []
    stopped = _process("flows.firewall", tmp_path / "site", "--dry-run")
    assert [word for word in words if f"(found {word})" not in stopped.stdout] == []


def test_one_missing_row_is_one_finding_that_names_the_hosts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _lint(write(tmp_path / "site", {"delete": ["ports:rows.ssh"]})) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if "management-missing" in line]
    assert len(lines) == 1
    assert "cp-1, cp-2" in lines[0]
    assert "mon-1" in lines[0]


def test_rules_are_listed_with_their_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(lint.main, "flows.lint", ["--rules"]) == 0
    listed = capsys.readouterr().out
    assert all(rule.id in listed and rule.why in listed for rule in RULES)


def _process(flow: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", flow, "--inventory", str(folder), *more]
    environment = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


SAMPLE = (
    {"text": {"site": "name: a\nname: b\n"}, "at": "site.yaml line 2"},
    {"text": {"hosts": "[" * 100_000}, "at": "hosts.yaml line 1"},
    {"set": {"hosts:w-1.data.addresses.main": ["10.20.1.300"]}, "at": "hosts.yaml w-1.data.addresses.main.0"},
    {"set": {"hosts:w-1.data.addresses.main": ["10.30.1.1", "fd20:1::21"]}, "at": "hosts.yaml w-1.data.addresses.main"},
)


@pytest.mark.parametrize("flow", [("flows.lint",), ("flows.firewall", "--dry-run")], ids=lambda flow: flow[0])
@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case["at"])
def test_processes_stop_before_any_connection(flow: tuple[str, ...], case: dict[str, Any], tmp_path: Path) -> None:
    done = _process(flow[0], write(tmp_path / "site", case), *flow[1:])
    assert done.returncode == 1
    file, path = case["at"].split(" ", 1)
    assert file in done.stdout + done.stderr
    assert path in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    done = _process("flows.lint", tmp_path / "nowhere")
    assert done.returncode == 1
    assert "flows.site init" in done.stderr
