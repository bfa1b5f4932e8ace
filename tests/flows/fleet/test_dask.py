"""
Hosts asked in Dask's worker processes: the same answers as threads bring, and a worker that is killed loses nobody.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from distributed import LocalCluster
from distributed.security import Security
from nornir.core import Nornir
from nornir.core.inventory import Host

from flows._fleet.dask import spread as dask_spread
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from flows._fleet.inventory import CONFIG, inventory
from model.errors import CommandFailed, SiteError
from model.report.outcome import Status
from remote.sudo import PASSWORD

NAMES = ("a-1", "a-2", "a-3", "a-4")
Site = Callable[[str], Nornir]


@pytest.fixture(scope="module", autouse=True)
def cleared_up() -> Iterator[None]:
    """Connections that distributed lets go of without closing them end here, and not during the tests of others."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Open a site of four hosts with these settings of `runner`."""
    (tmp_path / "hosts.yaml").write_text("".join(f"{name}: {{groups: [role], data: {{n: 1}}}}\n" for name in NAMES))
    (tmp_path / "groups.yaml").write_text("role: {username: deploy}\n")
    (tmp_path / "defaults.yaml").write_text("platform: linux\n")

    def opened(runner: str) -> Nornir:
        (tmp_path / "config.yaml").write_text(
            f"inventory: {{plugin: SimpleInventory}}\nlogging: {{enabled: false}}\n{runner}"
        )
        monkeypatch.setenv(CONFIG, str(tmp_path / "config.yaml"))
        return inventory(tmp_path)

    return opened


DASK = "runner: {plugin: dask, options: {workers: 2}}"
FLEET = "runner: {plugin: fleet}"


def test_answers_and_failures_are_those_of_threads(site: Site) -> None:
    def task(host: Host) -> tuple[str, str | None, int]:
        if host.name == "a-2":
            raise CommandFailed("a-2", ("ls",), 2, "no such file", "look there")
        if host.name == "a-3":
            return host["nobody"], None, 0
        return host.name, host.username, host["n"]

    spread, threads = (
        run_on_hosts(site(runner), task, names=(*NAMES, "ghost"), apart=True) for runner in (DASK, FLEET)
    )
    assert list(spread) == list(threads)
    for name in spread:
        ours, other = spread[name], threads[name]
        if isinstance(ours, HostFailure) and isinstance(other, HostFailure):
            assert (ours.host, ours.message, ours.next, ours.status) == (
                other.host,
                other.message,
                other.next,
                other.status,
            )
        else:
            assert ours == other
    failed = spread["a-2"]
    assert isinstance(failed, HostFailure)
    assert isinstance(failed.exception, CommandFailed)
    assert failed.exception.argv == ("ls",)


def test_hosts_are_asked_in_other_processes_side_by_side(site: Site) -> None:
    heard: list[str] = []
    answers = run_on_hosts(site(DASK), lambda _: os.getpid(), names=NAMES, apart=True, on_done=heard.append)
    assert len(set(answers.values())) == 2
    assert os.getpid() not in answers.values()
    assert sorted(heard) == sorted(NAMES)


def test_what_needs_this_process_stays_in_it(site: Site) -> None:
    assert set(run_on_hosts(site(DASK), lambda _: os.getpid(), names=NAMES).values()) == {os.getpid()}


def test_sudos_password_goes_along(site: Site) -> None:
    def task(_host: Host) -> str:
        held = PASSWORD.get()
        return held.get_secret_value() if held else ""

    PASSWORD.put("open sesame")
    try:
        answers = run_on_hosts(site(DASK), task, names=NAMES, apart=True)
    finally:
        PASSWORD.put("")
    assert set(answers.values()) == {"open sesame"}


def _kill_who_writes(place: Path) -> threading.Thread:
    """Await a process's number in a file and kill it, as somebody outside would."""

    def kill() -> None:
        end = time.monotonic() + 30
        while not (place.exists() and place.read_text()) and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(int(place.read_text()), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def test_hosts_of_a_worker_that_is_killed_are_asked_by_another(site: Site, tmp_path: Path) -> None:
    place = tmp_path / "number"

    def task(host: Host) -> int:
        if host.name == "a-1" and not place.exists():
            place.write_text(str(os.getpid()))
            time.sleep(60)
        return os.getpid()

    killer = _kill_who_writes(place)
    answers = run_on_hosts(site(DASK), task, names=NAMES, apart=True, deadline=50)
    killer.join()
    assert not any(isinstance(answer, HostFailure) for answer in answers.values()), answers
    assert list(answers) == list(NAMES)
    assert str(answers["a-1"]) != place.read_text()


def test_hosts_whose_workers_end_twice_are_reported_with_the_cause(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "begun"
    folder.mkdir()

    def task(host: Host) -> str:
        if host.name == "a-1":
            (folder / str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "fine"

    runner = "runner: {plugin: dask, options: {workers: 3}}"
    answers = run_on_hosts(site(runner), task, names=NAMES, apart=True, deadline=60)
    lost = answers.pop("a-1")
    assert isinstance(lost, HostFailure)
    assert lost.status is Status.FAILED
    assert "worker process that asked it ended, and so did the next one" in lost.message
    assert lost.message.count("tls://") == 2
    assert set(answers.values()) == {"fine"}
    assert len(list(folder.iterdir())) == 2


def test_hosts_of_the_only_worker_wait_until_it_is_started_anew(site: Site) -> None:
    def task(host: Host) -> str:
        if host.name == "a-1":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(1)
        return "fine"

    runner = "runner: {plugin: dask, options: {workers: 1}}"
    answers = run_on_hosts(site(runner), task, names=NAMES, apart=True, deadline=60)
    lost = answers.pop("a-1")
    assert isinstance(lost, HostFailure)
    assert "worker process that asked it ended, and so did the next one" in lost.message
    assert set(answers.values()) == {"fine"}


def test_hosts_whose_worker_is_not_started_anew_are_failed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def task(_host: Host) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(dask_spread, "_REPLACED_SECONDS", 0.0)
    runner = "runner: {plugin: dask, options: {workers: 1}}"
    (lost,) = run_on_hosts(site(runner), task, names=NAMES[:1], apart=True, deadline=60).values()
    assert isinstance(lost, HostFailure)
    assert "ended, and there is no other" in lost.message


def test_hosts_beside_the_one_that_ends_workers_are_answered(site: Site) -> None:
    def task(host: Host) -> str:
        if host.name == "a-1":
            os.kill(os.getpid(), signal.SIGKILL)
        # Long enough for a worker to have all its hosts in hands when the one beside them ends it.
        time.sleep(1)
        return "fine"

    runner = "runner: {plugin: dask, options: {workers: 2}}"
    answers = run_on_hosts(site(runner), task, names=NAMES, apart=True, deadline=60)
    assert isinstance(answers.pop("a-1"), HostFailure)
    assert set(answers.values()) == {"fine"}


def test_workers_are_not_missed_where_the_client_asks_for_none_in_the_background(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import Client

    monkeypatch.setattr(Client, "scheduler_info", lambda *_args, **_others: {"workers": {}})
    answers = run_on_hosts(site(DASK), lambda _host: "fine", names=NAMES, apart=True, deadline=60)
    assert set(answers.values()) == {"fine"}


def test_a_slow_host_is_not_waited_for(site: Site) -> None:
    def task(host: Host) -> str:
        if host.name == "a-1":
            time.sleep(120)
        return "fine"

    began = time.monotonic()
    answers = run_on_hosts(site(DASK), task, names=NAMES, apart=True, deadline=8)
    assert time.monotonic() - began < 20
    slow = answers.pop("a-1")
    assert isinstance(slow, HostFailure)
    assert slow.message == "gave no answer in 8 s"
    assert set(answers.values()) == {"fine"}


def test_an_answer_that_cannot_travel_is_that_hosts_failure(site: Site) -> None:
    answers = run_on_hosts(
        site(DASK), lambda host: threading.Lock() if host.name == "a-1" else 1, names=NAMES, apart=True
    )
    failed = answers.pop("a-1")
    assert isinstance(failed, HostFailure)
    assert "its answer was lost in the worker process: TypeError" in failed.message
    assert set(answers.values()) == {1}


@pytest.mark.parametrize("runner", ["plugin: threaded", "plugin: celery", "plugin: dask, options: {speed: 2}"])
def test_another_runner_is_refused(site: Site, runner: str) -> None:
    with pytest.raises(SiteError, match="config"):
        site(f"runner: {{{runner}}}")


def test_a_scheduler_without_tls_is_refused(site: Site) -> None:
    opened = site("runner: {plugin: dask, options: {scheduler: 'tcp://127.0.0.1:1'}}")
    with pytest.raises(SiteError, match="over TLS alone"):
        run_on_hosts(opened, lambda _: 1, names=NAMES, apart=True)


def _papers(folder: Path) -> dict[str, str]:
    """Write a new authority's certificate and key, and return the options that name them."""
    papers = Security.temporary()
    texts = {"authority": papers.tls_ca_file, "certificate": papers.tls_client_cert, "key": papers.tls_client_key}
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    return {name: str(folder / name) for name in texts}


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """
    A scheduler with two worker processes, which somebody else started: its address, and what it takes to talk to it.
    """
    papers = _papers(tmp_path / "papers")
    names = ("tls_ca_file", "tls_client_cert", "tls_client_key")
    files = dict(zip(names, papers.values(), strict=True))
    servers = {
        f"tls_{end}_{kind}": papers[name]
        for end in ("scheduler", "worker")
        for kind, name in (("cert", "certificate"), ("key", "key"))
    }
    security = Security(**files, **servers, require_encryption=True)
    places = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(
        n_workers=2, threads_per_worker=4, security=security, dashboard_address=None, scheduler_kwargs=places
    ) as cluster:
        yield cluster.scheduler_address, papers


def _named(address: str, papers: dict[str, str]) -> str:
    return f"runner: {{plugin: dask, options: {json.dumps({'scheduler': address, **papers})}}}"


def test_workers_of_a_scheduler_are_used_and_left_running(site: Site, scheduler: tuple[str, dict[str, str]]) -> None:
    address, papers = scheduler
    assert address.startswith("tls://")
    first, second = (
        run_on_hosts(site(_named(address, papers)), lambda _: os.getpid(), names=NAMES, apart=True) for _ in "12"
    )
    assert set(first.values()) == set(second.values())
    assert len(set(first.values())) == 2


def test_a_scheduler_of_another_authority_is_refused(
    site: Site, scheduler: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    opened = site(_named(scheduler[0], _papers(tmp_path / "others")))
    with pytest.raises(SiteError, match="cannot be reached"):
        run_on_hosts(opened, lambda _: 1, names=NAMES, apart=True)


class Notes:
    """A watch that keeps what it is told; it could not travel to another process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.heard: dict[str, list[str]] = {"begun": [], "ended": [], "answered": []}

    def begun(self, host: str) -> None:
        self.heard["begun"].append(host)

    def ended(self, host: str, answer: object) -> None:
        self.heard["ended"].append(f"{host}: {answer}")

    def answered(self, host: str) -> None:
        self.heard["answered"].append(host)


def test_a_watch_stays_in_this_process_and_hears_of_everybody(site: Site) -> None:
    notes = Notes()
    run_on_hosts(site(DASK), lambda _: "fine", names=NAMES, apart=True, watch=notes)
    assert notes.heard["begun"] == []
    assert sorted(notes.heard["answered"]) == sorted(NAMES)
    assert notes.heard["ended"] == [f"{name}: fine" for name in NAMES]
