"""Every flow loads, lints, locks, reports and exits alike."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest
import yaml

from flows._run.lifecycle import Context, FlowResult, run_flow
from flows._run.lock import site_lock
from flows._run.options import Options
from model.errors import Interrupted, LockHeld, PlanRefused, Unreachable
from model.report.outcome import Outcome, Status
from model.rollout.veil import remember
from tests.flows.plumbing import conducted, every, site


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return site(tmp_path)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Status.OK, 0),
        (Status.CHANGED, 0),
        (Status.WAIVED, 0),
        (Status.NOT_RUN, 0),
        (Status.DRIFT, 2),
        (Status.FAILED, 3),
        (Status.UNPROVEN, 3),
        (Status.MISSING, 3),
    ],
)
def test_every_status_has_its_exit_code(folder: Path, status: Status, code: int) -> None:
    exit_code, report = conducted(folder, every(status))
    assert (exit_code, report["exit"]) == (code, code)
    assert report["good"] is (status in (Status.OK, Status.CHANGED))


def test_drift_comes_before_failure(folder: Path) -> None:
    def body(context: Context) -> FlowResult:
        kinds = (Status.FAILED, Status.DRIFT, Status.OK)
        return FlowResult(tuple(Outcome(host, "thing", kinds[number % 3]) for number, host in enumerate(context.hosts)))

    assert conducted(folder, body)[0] == 2


def test_a_refusal_comes_before_drift(folder: Path) -> None:
    def body(context: Context) -> FlowResult:
        return FlowResult(tuple(Outcome(host, "thing", Status.DRIFT) for host in context.hosts), forced=1)

    assert conducted(folder, body)[0] == 1


def test_a_host_nobody_speaks_of_is_missing(folder: Path) -> None:
    def body(context: Context) -> FlowResult:
        return FlowResult(tuple(Outcome(host, "thing", Status.OK) for host in context.hosts[1:]))

    code, report = conducted(folder, body)
    assert code == 3
    assert [outcome["host"] for outcome in report["outcomes"] if outcome["status"] == "missing"] == ["cp-1"]


def test_an_empty_report_is_not_good(folder: Path) -> None:
    code, report = conducted(folder, lambda _context: FlowResult(hosts=()))
    assert code == 3
    assert report["good"] is False


def test_an_interrupt_says_what_becomes_of_hosts_in_the_middle_of_a_change(folder: Path) -> None:
    def body(context: Context) -> NoReturn:
        raise Interrupted({"w-1": "it is taken back by itself at 10:00:20Z"}, "run again after 10:00:20Z")

    code, report = conducted(folder, body)
    assert code == 130
    ends = {outcome["host"]: (outcome["message"], outcome["next"]) for outcome in report["outcomes"]}
    assert ends == {
        "controller": ("interrupted", "run again after 10:00:20Z"),
        "w-1": ("it is taken back by itself at 10:00:20Z", "run again after 10:00:20Z"),
    }


def test_a_refused_plan_exits_1_and_is_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def body(context: Context) -> NoReturn:
        raise PlanRefused("this would cut off the controller")

    code, report = conducted(folder, body)
    assert code == report["exit"] == 1
    assert "cut off the controller" in report["outcomes"][0]["message"]
    assert "cut off the controller" in capsys.readouterr().err


def test_an_escaped_host_error_is_that_hosts_failure(folder: Path) -> None:
    def body(context: Context) -> NoReturn:
        raise Unreachable("db-1", "no answer in 5 s", "is it on?")

    code, report = conducted(folder, body)
    assert code == 3
    assert [(outcome["host"], outcome["status"]) for outcome in report["outcomes"]] == [("db-1", "failed")]


def test_an_unforeseen_exception_is_one_line_without_v_and_a_traceback_with_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def body(context: Context) -> NoReturn:
        raise RuntimeError("a bug")

    assert conducted(folder, body)[0] == 1
    short = capsys.readouterr().err
    assert "RuntimeError: a bug" in short
    assert "Traceback" not in short
    conducted(folder, body, verbose=True)
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("error", [RuntimeError, PlanRefused, partial(Unreachable, "db-1")])
def test_no_error_shows_a_value_that_the_process_has_read(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Callable[[str], Exception]
) -> None:
    monkeypatch.setattr("model.rollout.veil._REMEMBERED", set())
    value = "ed25519 a_Xy3Z vp1s9dkfWXQmNOTTHEREo8kdjuENTQRS0Kdl2aQ"
    remember([value.encode()])

    def body(context: Context) -> NoReturn:
        raise error(f"cannot parse {value!r}, {value.split()[-1]}, {value.encode().hex()}")

    code, report = conducted(folder, body, verbose=True)
    assert code in (1, 3)
    shown = json.dumps(report) + capsys.readouterr().err
    assert "cannot parse '(secret)', (secret), (secret)" in shown
    assert not any(form in shown for form in (value, value.split()[-1], value.encode().hex()))


def test_an_interrupt_exits_130_and_keeps_what_was_found(folder: Path) -> None:
    def body(context: Context) -> NoReturn:
        context.keep(Outcome("cp-1", "thing", Status.CHANGED))
        raise KeyboardInterrupt

    code, report = conducted(folder, body)
    assert code == report["exit"] == 130
    assert report["outcomes"][0]["status"] == "changed"


def test_sigterm_ends_like_ctrl_c(folder: Path) -> None:
    def body(context: Context) -> FlowResult:
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(10)
        return FlowResult()

    before = signal.getsignal(signal.SIGTERM)
    assert conducted(folder, body)[0] == 130
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_selection_of_nobody_exits_1_and_is_reported(folder: Path) -> None:
    code, report = conducted(folder, every(Status.OK), limit="nobody-*")
    assert code == report["exit"] == 1
    assert "nobody-*" in report["outcomes"][0]["message"]


def test_a_broken_site_exits_1_with_every_field_before_the_body(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "site.yaml").write_text("name: 7\n")
    target = tmp_path / "out.json"
    code = run_flow("trial", Options(inventory=folder, json=str(target)), lambda _context: pytest.fail("was run"))
    assert code == 1
    assert "site.yaml: networks" in capsys.readouterr().err
    report = json.loads(target.read_text())
    assert report["exit"] == 1
    assert {"site.yaml"} == {finding["file"] for finding in report["findings"]}
    assert not (folder / "reports").exists()


def test_what_lint_calls_an_error_stops_every_flow(folder: Path) -> None:
    hosts = folder / "hosts.yaml"
    hosts.write_text(hosts.read_text().replace("10.20.1.22,", "10.20.1.21,"))
    code, report = conducted(folder, lambda _context: pytest.fail("was run"))
    assert code == 1
    assert "duplicate-address" in {finding["rule"] for finding in report["findings"]}


def test_a_changing_flow_holds_the_lock_and_another_is_refused(folder: Path) -> None:
    def body(context: Context) -> FlowResult:
        with pytest.raises(LockHeld, match="trial, process"), site_lock(folder, "other"):
            pytest.fail("two runs hold one site")
        return every(Status.OK)(context)

    assert conducted(folder, body, changes=True)[0] == 0


def test_a_held_lock_exits_1_but_lets_a_dry_run_look(folder: Path) -> None:
    with site_lock(folder, "other"):
        assert conducted(folder, every(Status.OK), changes=True)[0] == 1
        assert conducted(folder, every(Status.OK), changes=True, dry_run=True)[0] == 0


def _latest(folder: Path) -> str:
    return str((folder / "reports" / "latest-trial").readlink())


def test_a_refused_run_takes_no_other_runs_place(folder: Path) -> None:
    def refuse(_: Context) -> NoReturn:
        raise PlanRefused("unsafe")

    _, good = conducted(folder, every(Status.OK))
    for body, flags in ((every(Status.OK), {"limit": "db-11"}), (refuse, {}), (every(Status.OK), {"limit": "@faild"})):
        code, refused = conducted(folder, body, **flags)
        assert (code, refused["run"] != good["run"]) == (1, True)
        assert _latest(folder) == good["run"]
    with site_lock(folder, "other"):
        assert conducted(folder, every(Status.OK), changes=True)[0] == 1
    assert _latest(folder) == good["run"]
    path = folder / "hosts.yaml"
    whole = path.read_text("utf-8")
    hosts = yaml.safe_load(whole)
    del hosts["cp-3"]
    path.write_text(yaml.safe_dump(hosts))
    code, unsound = conducted(folder, every(Status.OK))
    assert (code, unsound["outcomes"][0]["message"][:11]) == (1, "lint finds ")
    assert _latest(folder) == good["run"]
    path.write_text(whole)
    _, bad = conducted(folder, every(Status.DRIFT))
    assert _latest(folder) == bad["run"]


def test_a_run_that_changed_something_before_it_was_refused_is_the_latest(folder: Path) -> None:
    def body(context: Context) -> NoReturn:
        context.keep(Outcome("db-1", "thing", Status.CHANGED, "done"))
        raise PlanRefused("no further")

    conducted(folder, every(Status.OK))
    _, refused = conducted(folder, body)
    assert _latest(folder) == refused["run"]


def test_a_run_that_broke_off_is_the_latest(folder: Path) -> None:
    def body(_: Context) -> NoReturn:
        raise ValueError("a fault of ours")

    conducted(folder, every(Status.OK))
    _, broken = conducted(folder, body)
    assert _latest(folder) == broken["run"]


def test_the_first_run_of_all_is_the_latest_even_if_refused(folder: Path) -> None:
    _, refused = conducted(folder, every(Status.OK), limit="db-11")
    assert _latest(folder) == refused["run"]
