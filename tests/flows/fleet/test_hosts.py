"""Everybody who was asked is heard of: failures, silence, slowness, and hosts that failed before."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest
from nornir.core import Nornir
from nornir.core.inventory import Host

from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from flows._fleet.inventory import inventory
from model.errors import CommandFailed, PlanRefused, SiteError
from model.report.outcome import Status

NAMES = ("a-1", "a-2", "a-3", "a-4")


@pytest.fixture
def nr(tmp_path: Path) -> Nornir:
    (tmp_path / "hosts.yaml").write_text(
        "".join(f"{name}: {{hostname: 127.0.0.1, groups: [role]}}\n" for name in NAMES)
    )
    (tmp_path / "groups.yaml").write_text("role: {}\n")
    (tmp_path / "defaults.yaml").write_text(
        "username: deploy\nconnection_options: {netmiko: {extras: {key_file: my/key}}}\n"
    )
    return inventory(tmp_path)


def test_answers_come_by_name_in_the_order_asked(nr: Nornir) -> None:
    answers = run_on_hosts(nr, lambda host: host.name.upper(), names=("a-3", "a-1"))
    assert list(answers.items()) == [("a-3", "A-3"), ("a-1", "A-1")]


def test_none_is_an_answer(nr: Nornir) -> None:
    assert run_on_hosts(nr, lambda _: None, names=NAMES) == dict.fromkeys(NAMES)


def test_an_error_is_that_hosts_failure_alone(nr: Nornir) -> None:
    def task(host: Host) -> str:
        if host.name == "a-2":
            raise CommandFailed("a-2", ("ls",), 2, "no such file", "look there")
        return "fine"

    answers = run_on_hosts(nr, task, names=NAMES)
    failed = answers["a-2"]
    assert isinstance(failed, HostFailure)
    assert failed.status is Status.FAILED
    assert failed.message == "`ls` ended with exit code 2: no such file"
    assert failed.next == "look there"
    assert [answers[name] for name in NAMES if name != "a-2"] == ["fine"] * 3
    outcome = failed.outcome("firewall")
    assert (outcome.host, outcome.subject, outcome.status) == ("a-2", "firewall", Status.FAILED)


def test_an_unforeseen_error_is_a_failure_with_its_type(nr: Nornir) -> None:
    answers = run_on_hosts(nr, lambda _: 1 // 0, names=["a-1"])["a-1"]
    assert isinstance(answers, HostFailure)
    assert "ZeroDivisionError" in answers.message
    assert isinstance(answers.exception, ZeroDivisionError)


def test_an_unforeseen_error_shows_no_value_that_the_process_has_read(
    nr: Nornir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.rollout.veil._REMEMBERED", {b"correct horse"})
    nothing: dict[str, str] = {}
    answers = run_on_hosts(nr, lambda _: nothing["correct horse"], names=["a-1"])["a-1"]
    assert isinstance(answers, HostFailure)
    assert answers.message == "unforeseen: KeyError: '(secret)'"


def test_an_error_about_the_plan_keeps_its_kind(nr: Nornir) -> None:
    def refuse(host: Host) -> None:
        raise PlanRefused("would lock you out")

    answers = run_on_hosts(nr, refuse, names=["a-1"])["a-1"]
    assert isinstance(answers, HostFailure)
    assert isinstance(answers.exception, PlanRefused)


def test_a_host_that_failed_is_asked_again(nr: Nornir) -> None:
    run_on_hosts(nr, lambda _: 1 // 0, names=NAMES)
    nr.data.failed_hosts.update(NAMES)
    assert run_on_hosts(nr, lambda _: "back", names=NAMES) == dict.fromkeys(NAMES, "back")


def test_a_host_nobody_knows_is_missing(nr: Nornir) -> None:
    answers = run_on_hosts(nr, lambda _: 1, names=("a-1", "ghost"))
    assert answers["a-1"] == 1
    assert isinstance(answers["ghost"], HostFailure)
    assert answers["ghost"].status is Status.MISSING


def test_a_worker_that_dies_silently_leaves_a_missing_host(nr: Nornir) -> None:
    def task(host: Host) -> str:
        if host.name == "a-3":
            raise SystemExit
        return "fine"

    answers = run_on_hosts(nr, task, names=NAMES, workers=1)
    silent = answers["a-3"]
    assert isinstance(silent, HostFailure)
    assert silent.status is Status.MISSING
    assert answers["a-4"] == "fine"


def test_a_slow_host_is_not_waited_for_past_the_deadline(nr: Nornir) -> None:
    release = threading.Event()

    def task(host: Host) -> str:
        if host.name == "a-1":
            release.wait(30)
        return "fine"

    began = time.monotonic()
    answers = run_on_hosts(nr, task, names=NAMES, deadline=0.5)
    assert time.monotonic() - began < 3
    release.set()
    slow = answers["a-1"]
    assert isinstance(slow, HostFailure)
    assert slow.status is Status.FAILED
    assert slow.message == "gave no answer in 0.5 s"
    assert [answers[name] for name in NAMES[1:]] == ["fine"] * 3


def test_hosts_not_begun_at_the_deadline_are_not_begun_later(nr: Nornir) -> None:
    begun = []
    release = threading.Event()

    def task(host: Host) -> None:
        begun.append(host.name)
        release.wait(30)

    answers = run_on_hosts(nr, task, names=NAMES, workers=1, deadline=0.3)
    release.set()
    time.sleep(0.2)
    assert len(begun) == 1
    assert all(isinstance(answer, HostFailure) for answer in answers.values())


def test_hosts_run_side_by_side(nr: Nornir) -> None:
    barrier = threading.Barrier(len(NAMES), timeout=10)
    assert len(run_on_hosts(nr, lambda _: barrier.wait(), names=NAMES)) == len(NAMES)
    assert not any(
        isinstance(answer, HostFailure) for answer in run_on_hosts(nr, lambda _: barrier.wait(), names=NAMES).values()
    )


def test_progress_hears_of_every_host_in_the_callers_thread(nr: Nornir) -> None:
    heard: list[str] = []
    threads = set()

    def on_done(name: str) -> None:
        heard.append(name)
        threads.add(threading.current_thread())

    run_on_hosts(nr, lambda host: 1 // (host.name != "a-2"), names=NAMES, on_done=on_done)
    assert sorted(heard) == sorted(NAMES)
    assert threads == {threading.current_thread()}


def test_ctrl_c_passes_through_at_once(nr: Nornir) -> None:
    release = threading.Event()

    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    def task(host: Host) -> None:
        if host.name != "a-1":
            release.wait(30)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_on_hosts(nr, task, names=NAMES, on_done=interrupt)
    release.set()
    assert time.monotonic() - began < 3


def test_nornir_logs_nothing_of_tasks(
    nr: Nornir, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        run_on_hosts(nr, lambda _: 1 // 0, names=NAMES)
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.name.startswith("nornir")]


def test_connections_are_strict_and_paths_start_at_the_site(nr: Nornir, tmp_path: Path) -> None:
    extras = nr.inventory.hosts["a-1"].get_connection_parameters("netmiko").extras
    assert extras is not None
    assert extras["ssh_strict"] is True
    assert extras["alt_key_file"] == str(tmp_path / "known_hosts")
    assert extras["key_file"] == str(tmp_path / "my" / "key")


def test_the_environments_ssh_config_comes_first(tmp_path: Path, nr: Nornir, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").write_text("")
    monkeypatch.setenv("MATRIX_FLEET_SSH_CONFIG", str(tmp_path / "mine"))
    extras = inventory(tmp_path).inventory.hosts["a-1"].get_connection_parameters("netmiko").extras
    assert extras is not None
    assert extras["ssh_config_file"] == str(tmp_path / "mine")


def test_an_inventory_nornir_cannot_read_is_an_error_of_the_site(tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text("a-1: {groups: [nobody]}\n")
    with pytest.raises(SiteError, match="cannot read the inventory"):
        inventory(tmp_path)


def test_nornir_has_the_hosts_that_the_site_has_however_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text(
        "0100: {hostname: 127.0.0.1, port: 06443, groups: [role]}\n"
        "100: {hostname: 127.0.0.2, groups: [role], data: {word: yes, number: 010}}\n"
    )
    (tmp_path / "groups.yaml").write_text("role: {port: 0222, groups: [above]}\nabove: {username: jo}\n")
    (tmp_path / "defaults.yaml").write_text("platform: linux\n")
    hosts = inventory(tmp_path).inventory.hosts
    assert list(hosts) == ["0100", "100"]
    assert [(host.port, host.username, host.platform) for host in hosts.values()] == [
        (6443, "jo", "linux"),
        (222, "jo", "linux"),
    ]
    assert dict(hosts["100"].data) == {"word": "yes", "number": 10}
    assert type(hosts["100"].data["word"]) is str


def test_what_is_no_inventory_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text("a-1: {hostname: !!binary MTI3}\n")
    with pytest.raises(SiteError, match=r"line 1, column 17 \(a-1\.hostname\): the tag !!binary"):
        inventory(tmp_path)
