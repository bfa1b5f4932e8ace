"""
Claims about who is told what after which run: nothing twice, nothing lost, no finding hidden by a notifier that fails.
"""

from __future__ import annotations

import fcntl
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows import notify
from flows._run import folder as _folder
from flows._run.cli import execute
from tests.flows.plumbing import site

BEGAN = datetime(2026, 11, 26, 5, 0, tzinfo=UTC)
HOSTS = tuple(sorted(yaml.safe_load((Path(__file__).parents[2] / "inventory/hosts.yaml").read_text("utf-8"))))
EVE = ("w-1", "users/sudo", "drift", "eve may become root")
GOOD = ("w-1", "users/sudo", "ok", "only root")


class NotificationState:
    """A site whose news go to a file each time."""

    def __init__(self, folder: Path) -> None:
        self.site = site(folder)
        self.folder = folder / "news"
        self.folder.mkdir()
        self.program = folder / "pager"
        self.works()
        self.settings([{"kind": "command", "command": [str(self.program)]}])
        self.number = 0

    def settings(self, ways: list[dict[str, Any]]) -> None:
        """Let these be notifications."""
        path = self.site / "site.yaml"
        document = yaml.safe_load(path.read_text("utf-8"))
        path.write_text(yaml.safe_dump({**document, "compliance": {"notify": ways, "keep_runs": 3}}), "utf-8")

    def works(self) -> None:
        """Let the program keep what it is notifications."""
        self.program.write_text(f"#!/bin/sh\ncat >{self.folder}/$(ls {self.folder} | wc -l)\n", "utf-8")
        self.program.chmod(0o755)

    def fails(self) -> None:
        """Let the program fail."""
        self.program.write_text("#!/bin/sh\necho the pager is off >&2; exit 3\n", "utf-8")

    def ran(self, *outcomes: tuple[str, str, str, str], whole: bool = True) -> None:
        """Leave the report of a run of compliance."""
        self.number += 1
        rows = [dict(zip(("host", "subject", "status", "message"), row, strict=True)) for row in outcomes]
        report = {"schema": "matrix-fleet/report/1", "flow": "compliance", "exit": 0, "outcomes": rows}
        report |= {"hosts": list(HOSTS), "items": [{"id": "a"}]} if whole else {"hosts": ["w-1"]}
        _folder.write_run(
            self.site,
            "compliance",
            BEGAN + timedelta(minutes=self.number),
            lambda run: {"report.json": json.dumps({**report, "run": run})},
        )

    def tell(self, *flags: str) -> tuple[int, dict[str, Any]]:
        """Run the flow; return its exit code and its report."""
        code = execute(notify.main, "flows.notify", ("--inventory", str(self.site), "--quiet", *flags))
        return code, json.loads((self.site / "reports/latest-notify/report.json").read_text("utf-8"))

    @property
    def news(self) -> list[dict[str, Any]]:
        """What was told, oldest first."""
        return [
            json.loads(path.read_text("utf-8"))
            for path in sorted(self.folder.iterdir(), key=lambda file: int(file.name))
        ]


@pytest.fixture
def notifications(tmp_path: Path) -> NotificationState:
    return NotificationState(tmp_path)


def test_a_finding_is_told_once_and_its_end_once(notifications: NotificationState) -> None:
    notifications.ran(GOOD)
    assert notifications.tell()[0] == 0
    assert notifications.news == []
    notifications.ran(EVE)
    code, report = notifications.tell()
    assert (code, report["outcomes"][0]["status"]) == (0, "changed")
    assert [row["message"] for row in notifications.news[0]["new"]] == [EVE[3]]
    notifications.tell()
    notifications.ran(EVE)
    notifications.tell()
    assert len(notifications.news) == 1
    notifications.ran(GOOD)
    notifications.tell()
    assert [row["subject"] for row in notifications.news[1]["gone"]] == ["users/sudo"]
    notifications.ran(EVE)
    notifications.tell()
    assert [row["message"] for row in notifications.news[2]["new"]] == [EVE[3]]


def test_who_could_not_be_told_is_told_with_the_next_news_and_the_others_are_told_now(
    notifications: NotificationState, tmp_path: Path
) -> None:
    other = ["/bin/sh", "-c", f"cat >>{tmp_path}/other"]
    notifications.settings(
        [{"kind": "command", "command": [str(notifications.program)]}, {"kind": "command", "command": other}]
    )
    notifications.fails()
    notifications.ran(EVE)
    code, report = notifications.tell()
    assert code == 3
    assert [outcome["status"] for outcome in report["outcomes"]] == ["failed", "changed"]
    assert "exit code 3: the pager is off" in report["outcomes"][0]["message"]
    assert json.loads((tmp_path / "other").read_text())["new"]
    notifications.works()
    notifications.ran(EVE)
    code, report = notifications.tell()
    assert (code, [outcome["status"] for outcome in report["outcomes"]]) == (0, ["changed", "ok"])
    assert [row["message"] for row in notifications.news[0]["new"]] == [EVE[3]]


def test_what_came_and_went_while_nobody_could_be_told_is_no_news(notifications: NotificationState) -> None:
    notifications.ran(GOOD)
    notifications.tell()
    notifications.fails()
    notifications.ran(EVE)
    notifications.tell()
    notifications.works()
    notifications.ran(GOOD)
    notifications.tell()
    assert notifications.news == []


def test_a_run_of_a_part_is_no_end_of_the_rest(notifications: NotificationState) -> None:
    notifications.ran(EVE, ("db-1", "swap/off", "drift", "swap is on"))
    notifications.tell()
    notifications.ran(EVE, whole=False)
    notifications.tell()
    assert len(notifications.news) == 1
    notifications.ran(EVE)
    notifications.tell()
    assert [row["host"] for row in notifications.news[1]["gone"]] == ["db-1"]


def test_a_dry_run_says_what_would_be_told_and_tells_nobody(notifications: NotificationState) -> None:
    notifications.ran(EVE)
    code, report = notifications.tell("--dry-run")
    assert code == 2
    assert report["outcomes"][0]["evidence"]["new"][0]["message"] == EVE[3]
    assert notifications.news == []
    assert not (notifications.site / "reports/notified.json").exists()


def test_a_run_that_systemd_ended_is_told_of_once_until_one_is_whole(
    notifications: NotificationState, monkeypatch: pytest.MonkeyPatch
) -> None:
    notifications.ran(GOOD)
    notifications.tell()
    monkeypatch.setenv("MONITOR_SERVICE_RESULT", "timeout")
    notifications.tell()
    notifications.tell()
    (entry,) = notifications.news
    assert [(row["subject"], row["status"]) for row in entry["new"]] == [("schedule/run", "failed")]
    monkeypatch.delenv("MONITOR_SERVICE_RESULT")
    notifications.tell()
    assert len(notifications.news) == 1
    monkeypatch.setenv("MONITOR_SERVICE_RESULT", "exit-code")
    notifications.ran(GOOD)
    notifications.tell()
    assert [row["subject"] for row in notifications.news[1]["gone"]] == ["schedule/run"]


def test_a_memory_that_cannot_be_read_is_none(notifications: NotificationState) -> None:
    notifications.ran(EVE)
    notifications.tell()
    for text in ("", "[]", '{"told": {"x": 1}}', '{"told": {"x": {"run": "r", "findings": {"a": {}}}}}'):
        (notifications.site / "reports/notified.json").write_text(text)
        before = len(notifications.news)
        notifications.tell()
        assert len(notifications.news) == before + 1


def test_a_trial_tells_everybody_and_remembers_nothing(notifications: NotificationState) -> None:
    assert notifications.tell("--trial")[0] == 0
    assert notifications.news[0]["trial"] is True
    notifications.ran(EVE)
    notifications.tell()
    assert len(notifications.news) == 2


def test_two_at_once_do_not_tell_twice(notifications: NotificationState) -> None:
    notifications.ran(EVE)
    handle = os.open(notifications.site / "reports", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        code, report = notifications.tell()
    finally:
        os.close(handle)
    assert code == 1
    assert "another run of flows.notify" in report["outcomes"][0]["message"]
    assert notifications.news == []


@pytest.mark.parametrize("ways", [[], [{"kind": "command", "command": ["/bin/true"]}]])
def test_nobody_to_tell_and_nothing_to_tell_are_refused(
    notifications: NotificationState, ways: list[dict[str, Any]]
) -> None:
    notifications.settings(ways)
    code, report = notifications.tell()
    assert code == 1
    assert "names nobody" in report["outcomes"][0]["message"] or "has not run yet" in report["outcomes"][0]["message"]


def test_old_runs_of_it_go(notifications: NotificationState) -> None:
    notifications.ran(GOOD)
    for _ in range(5):
        notifications.tell()
    assert len(list((notifications.site / "reports").glob("2*-notify*"))) <= 4
