"""The small programs in Synapse's pods: what must be there before it starts, and the files that must not pile up."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.model.rollout.synapse.synapse_sites import rendered, site

FILES = rendered(site("small"), "synapse").files


@pytest.fixture
def ports() -> Iterator[list[int]]:
    """Three ports that somebody listens on: database, Redis, main."""
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(3)]


def prepare(folder: Path, ports: list[int], *words: str, patience: int = 20) -> subprocess.CompletedProcess[str]:
    """Run the program with the addresses of this machine."""
    (folder / "secrets").mkdir(exist_ok=True)
    (folder / "run").mkdir(exist_ok=True)
    (folder / "secrets/pgpass").write_text("*:*:*:synapse:password")
    text = FILES["prepare.py"].replace('"/run/synapse"', f'"{folder}/run"')
    text = text.replace("/secrets/pgpass", f"{folder}/secrets/pgpass").replace("+ 300", f"+ {patience}")
    for number, port in zip((5432, 6379, 9093), ports, strict=True):
        text, count = re.subn(rf'\("[a-z0-9.-]+", {number}\)', f'("127.0.0.1", {port})', text)
        assert count == 1
    command = [sys.executable, "-", *words]
    environment = {**os.environ, "POD_NAME": "synapse-sync-1"}
    return subprocess.run(command, input=text, env=environment, capture_output=True, text=True, timeout=60)


def test_a_worker_gets_its_name_and_a_file_that_libpq_accepts(tmp_path: Path, ports: list[int]) -> None:
    done = prepare(tmp_path, ports, "worker")
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "run/name.yaml").read_text() == "worker_name: synapse-sync-1\n"
    assert (tmp_path / "run/pgpass").read_text() == "*:*:*:synapse:password\n"
    assert stat.S_IMODE((tmp_path / "run/pgpass").stat().st_mode) == 0o600


def test_main_has_no_name_and_does_not_wait_for_itself(tmp_path: Path, ports: list[int]) -> None:
    assert prepare(tmp_path, [*ports[:2], 1], patience=3).stdout == ""
    assert not (tmp_path / "run/name.yaml").exists()


def test_who_does_not_answer_is_named_and_the_wait_ends(tmp_path: Path, ports: list[int]) -> None:
    done = prepare(tmp_path, [*ports[:2], 1], "worker", patience=2)
    assert done.returncode == 0
    assert "waiting for 127.0.0.1:1: [Errno 111]" in done.stdout
    assert "127.0.0.1:1 does not answer; starting all the same" in done.stdout


def sweep(folder: Path, most: int) -> int:
    """Run the media cache's sweep once over a folder."""
    text = FILES["media_cache.py"].partition("while True:")[0].replace('Path("/media")', f'Path("{folder}")')
    names: dict[str, Any] = {"__name__": "media_cache"}
    exec(re.sub(r"MOST = .*", f"MOST = {most}", text), names)  # noqa: S102
    return int(names["sweep"]())


def put(path: Path, hours: float) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(os.urandom(40_960))
    os.utime(path, (time.time() - hours * 3600,) * 2)
    return path


def test_files_that_nobody_read_for_longest_go_first(tmp_path: Path) -> None:
    old, middle, late = (put(tmp_path / "a" / name, hours) for name, hours in (("x", 9), ("y", 5), ("z", 2)))
    left = sweep(tmp_path, 100_000)
    assert [path.exists() for path in (old, middle, late)] == [False, True, True]
    assert left <= 100_000


def test_a_file_that_may_still_be_on_its_way_stays(tmp_path: Path) -> None:
    young = put(tmp_path / "a" / "x", 0.1)
    sweep(tmp_path, 1)
    assert young.exists()


def test_below_the_limit_nothing_goes(tmp_path: Path) -> None:
    old = put(tmp_path / "a" / "x", 100)
    sweep(tmp_path, 10**9)
    assert old.exists()
