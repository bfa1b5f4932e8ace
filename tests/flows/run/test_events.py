"""A run can be read while it goes on: events, run.log, phases and the hosts that are waited for."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from nornir.core.inventory import Host

from flows._fleet.hosts import closing, run_on_hosts
from flows._fleet.inventory import inventory
from flows._run import folder as _folder
from flows._run import progress
from flows._run.events import Events
from flows._run.lifecycle import Context, FlowResult, run_flow
from flows._run.options import Options
from flows._run.phases import PhaseClock
from flows._run.progress import HostsAwaited, spoken
from flows._run.screen import Screen
from model.errors import HostError
from model.report.outcome import Outcome, Status
from tests.flows.plumbing import ROOT, conducted, every, site

HANGS = """
import sys, time
from pathlib import Path
from flows._run.lifecycle import run_flow
from flows._run.options import Options
from flows._run.phases import PhaseClock

def body(context):
    clock = PhaseClock(context, 2)
    clock.begin("first", "Do a thing")
    clock.end(())
    clock.begin("second", "Hang")
    context.events.write("host-begun", host="db-1", step="applying")
    context.say("nearly there")
    time.sleep(60)

run_flow("trial", Options(inventory=Path(sys.argv[1]), events=sys.argv[2]), body)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return site(tmp_path)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_event_has_its_time_flow_and_run_and_the_run_its_exit_code(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "events"
    _, report = conducted(folder, every(Status.DRIFT), events=str(target), limit="db-1", dry_run=True)
    events = read(target)
    assert [event["event"] for event in events] == ["run-started", "message", "run-ended"]
    for event in events:
        assert datetime.fromisoformat(event["time"]).utcoffset() == timedelta(0)
        assert (event["flow"], event["run"]) == ("trial", report["run"])
    assert (events[0]["limit"], events[0]["dry_run"], events[0]["pid"]) == ("db-1", True, os.getpid())
    assert events[-1]["exit"] == 2


def test_a_killed_run_can_be_read_up_to_where_it_hung(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "events"
    argv = [sys.executable, "-c", HANGS, str(folder), str(target)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        until = time.monotonic() + 60
        while not (target.exists() and "nearly there" in target.read_text("utf-8")):
            assert time.monotonic() < until
            time.sleep(0.05)
        run.send_signal(signal.SIGKILL)
        run.wait(30)
    events = read(target)
    kinds = [event["event"] for event in events if event["event"] != "message"]
    assert kinds == ["run-started", "phase-begun", "phase-ended", "phase-begun", "host-begun"]
    assert (events[-2]["host"], events[-2]["step"]) == ("db-1", "applying")
    (draft,) = (folder / "reports").iterdir()
    assert draft.name == f".{events[0]['run']}.draft"
    assert "phase 2 of 2: second: Hang" in (draft / "run.log").read_text("utf-8")
    assert conducted(folder, every(Status.OK))[0] == 0


def test_events_are_appended_and_runs_told_apart(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "events"
    for _ in range(2):
        conducted(folder, every(Status.OK), events=str(target))
    assert len({event["run"] for event in read(target)}) == 2


def test_a_site_that_cannot_be_loaded_is_told_as_events(folder: Path, tmp_path: Path) -> None:
    (folder / "site.yaml").write_text("nonsense: [")
    target = tmp_path / "events"
    assert run_flow("trial", Options(inventory=folder, events=str(target)), every(Status.OK)) == 1
    events = read(target)
    assert [event["event"] for event in events] == ["run-started", "message", "run-ended"]
    assert (events[1]["level"], events[-1]["exit"]) == ("error", 1)


def test_events_on_standard_output_are_alone_there(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    conducted(folder, every(Status.DRIFT), events="-")
    lines = capfd.readouterr().out.splitlines()
    assert [json.loads(line)["event"] for line in lines][-1] == "run-ended"


def test_report_and_events_do_not_share_standard_output(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options = Options(inventory=folder, events="-", json="-")
    assert run_flow("trial", options, lambda _context: pytest.fail("was run")) == 1
    seen = capfd.readouterr()
    assert "exclude each other" in seen.err
    assert seen.out == ""


def test_a_path_that_cannot_be_written_is_refused_before_the_body(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options(inventory=folder, events=str(tmp_path / "nowhere" / "events"))
    assert run_flow("trial", options, lambda _context: pytest.fail("was run")) == 1
    assert "--events" in capsys.readouterr().err


def test_a_stream_that_breaks_off_does_not_stop_the_run_and_costs_exit_1(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = conducted(folder, every(Status.OK), events="/dev/full")
    assert (code, report["exit"]) == (1, 0)
    assert "broke off" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "code"), [(Status.DRIFT, 2), (Status.FAILED, 3)])
def test_a_stream_that_breaks_off_hides_nothing_that_was_found(
    folder: Path, status: Status, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conducted(folder, every(status), events="/dev/full")[0] == code
    assert "broke off" in capsys.readouterr().err


BREAKS = """
import sys
from pathlib import Path
from flows._run import cli
from flows._run.lifecycle import run_flow
from flows._run.options import Options
from model.report.outcome import Status
from tests.flows.plumbing import every

def main() -> int:
    return run_flow("trial", Options(inventory=Path(INVENTORY), events="-"), every(Status(STATUS)))

cli.run(main, "flows.trial")
"""


@pytest.mark.parametrize(("status", "code"), [(Status.DRIFT, 2), (Status.FAILED, 3), (Status.OK, 1)])
def test_a_reader_of_standard_output_that_goes_away_hides_nothing_either(
    folder: Path, status: Status, code: int
) -> None:
    script = BREAKS.replace("INVENTORY", repr(str(folder))).replace("STATUS", repr(status.value))
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.close()
        heard = run.stderr.read().decode()
        assert run.wait(60) == code, heard
    assert "broke off" in heard
    assert "Traceback" not in heard


def test_a_new_file_of_events_is_its_owners_alone(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "events"
    before = os.umask(0)
    try:
        conducted(folder, every(Status.OK), events=str(target))
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_report_that_cannot_be_written_leaves_the_log(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = Path.write_text

    def full(path: Path, text: str, *rest: Any, **flags: Any) -> int:
        if path.name != "report.html":
            return write(path, text, *rest, **flags)
        write(path, text[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert run_flow("trial", Options(inventory=folder), every(Status.DRIFT)) == 1
    (draft,) = (folder / "reports").iterdir()
    assert [file.name for file in draft.iterdir()] == ["run.log"]
    assert "NOT AS DECLARED" in (draft / "run.log").read_text("utf-8")
    assert f"{draft}/run.log" in capsys.readouterr().err


def test_the_log_has_what_was_said_also_where_the_screen_is_quiet(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def body(context: Context) -> FlowResult:
        context.say("looking\x1b[2J")
        context.screen.text("a secret that was asked for")
        return every(Status.DRIFT)(context)

    _, report = conducted(folder, body, quiet=True)
    path = folder / "reports" / report["run"] / "run.log"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = path.read_text("utf-8").splitlines()
    assert lines[0].endswith("info    looking\\x1b[2J")
    assert any("NOT AS DECLARED" in line for line in lines)
    assert "secret" not in "".join(lines)
    assert all(datetime.fromisoformat(line.split()[0]).utcoffset() == timedelta(0) for line in lines)
    assert "looking" not in capsys.readouterr().err


def test_what_killed_runs_left_goes_after_a_month(folder: Path) -> None:
    started = datetime(2026, 11, 23, 22, 0, 5, tzinfo=UTC)
    old, new, other = (_folder.claim(folder, flow, started) for flow in ("trial", "trial", "other"))
    month = (started - timedelta(days=31)).timestamp()
    for place in (old, other):
        os.utime(place.draft, (month, month))
    os.utime(new.draft, (started.timestamp(),) * 2)
    _folder.claim(folder, "trial", started + timedelta(seconds=1))
    assert [place.draft.exists() for place in (old, new, other)] == [False, True, True]


class Heard:
    """A context with a screen that keeps what is said, and events in a file."""

    def __init__(self, folder: Path, target: Path) -> None:
        self.said: list[str] = []
        screen = Screen(Options(quiet=True))
        screen.listeners.append(lambda _level, text: self.said.append(text))
        self.events = Events("trial", "run", {})
        self.target = target
        self.events.open(Options(events=str(target)))
        self.context = Context(
            site=None,  # type: ignore[arg-type]
            options=Options(inventory=folder),
            hosts=(),
            started=datetime.now(UTC),
            screen=screen,
            kept=[],
            events=self.events,
        )

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in read(self.target) if event["event"] == kind]


@pytest.fixture
def heard(folder: Path, tmp_path: Path) -> Iterator[Heard]:
    heard = Heard(folder, tmp_path / "events")
    yield heard
    heard.events.close()


def test_hosts_are_told_as_they_begin_and_end_with_what_came_of_each(folder: Path, heard: Heard) -> None:
    def task(host: Host) -> Outcome | str:
        if host.name == "db-1":
            raise HostError("db-1", "no answer", "look")
        return Outcome(host.name, "thing", Status.CHANGED, "done") if host.name == "db-2" else "facts"

    hosts = ("db-1", "db-2", "db-3", "nobody")
    nr = inventory(folder)
    with closing(nr), heard.context.awaiting(hosts, "looking") as watch:
        run_on_hosts(nr, task, names=hosts, watch=watch)
    begun = {event["host"] for event in heard.of("host-begun")}
    ended = {event["host"]: (event["status"], event["message"]) for event in heard.of("host-ended")}
    assert begun == {"db-1", "db-2", "db-3"}
    assert ended == {
        "db-1": ("failed", "no answer"),
        "db-2": ("changed", "done"),
        "db-3": ("answered", ""),
        "nobody": ("missing", "is not in the inventory"),
    }
    assert len(heard.of("host-ended")) == 4


def test_a_host_that_answers_too_late_is_told_once_and_as_failed(folder: Path, heard: Heard) -> None:
    late = threading.Event()
    nr = inventory(folder)
    with closing(nr), heard.context.awaiting(("db-1",), "looking") as watch:
        run_on_hosts(nr, lambda _host: late.wait(20), names=("db-1",), watch=watch, deadline=0.2)
        late.set()
        time.sleep(0.2)
    assert [(event["host"], event["status"]) for event in heard.of("host-ended")] == [("db-1", "failed")]


def test_a_long_step_names_those_it_waits_for(folder: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_FIRST", 0.3)
    released = threading.Event()
    hosts = tuple(machine for machine in inventory(folder).inventory.hosts)[:8]
    nr = inventory(folder)
    threading.Timer(1.0, released.set).start()
    with closing(nr), heard.context.awaiting(hosts, "applying") as watch:
        run_on_hosts(nr, lambda host: host.name in hosts[:2] or released.wait(20), names=hosts, watch=watch)
    (line,) = heard.said
    assert line.startswith("applying: 2 of 8 hosts after ")
    assert line.endswith(f"waiting for {', '.join(hosts[2:5])} and 3 more")


def test_the_bars_label_names_hosts_only_when_a_step_takes_long() -> None:
    watch = HostsAwaited(("db-1", "db-2"), "applying", Events.nowhere(), None)
    watch.answered("db-1")
    assert watch.label() == "applying"
    watch.started -= 60
    assert watch.label() == "applying, waiting for db-2"
    watch.answered("db-2")
    assert watch.label() == "applying"


def test_phases_are_counted_with_the_time_so_far(heard: Heard) -> None:
    clock = PhaseClock(heard.context, 13)
    clock.begin("os", "Set up the operating system")
    clock.end(
        (Outcome("db-1", "os", Status.OK), Outcome("db-2", "os", Status.OK), Outcome("db-3", "os", Status.FAILED))
    )
    clock._run_started -= 65
    clock.begin("runtime", "Set up the container runtime")
    assert heard.said == [
        "phase 1 of 13: os: Set up the operating system",
        "phase 2 of 13: runtime: Set up the container runtime (1 min 5 s so far)",
    ]
    assert heard.of("phase-ended")[0]["outcomes"] == {"ok": 2, "failed": 1}
    assert [(event["number"], event["of"]) for event in heard.of("phase-begun")] == [(1, 13), (2, 13)]


def test_lengths_of_time_are_written_for_people() -> None:
    assert [spoken(seconds) for seconds in (0.4, 59, 60, 185, 3600)] == [
        "0 s",
        "59 s",
        "1 min 0 s",
        "3 min 5 s",
        "1 h 0 min",
    ]
