"""Claims about how a host is looked at and changed, tried with the very scripts that run there."""

from __future__ import annotations

import fcntl
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model.errors import CommandFailed
from model.host.hoststate import File, Folder, HostState
from model.host.state_change import StateChange
from remote.facts.hoststate import observe
from tasks import hoststate
from tests.tasks.local import here

HOST: Any = SimpleNamespace(name="w-1")


def _order(change: StateChange) -> list[str]:
    """Return which steps a change has, in their order."""
    words = ("mf_put", "mf_remove", "mf_install", "apt-mark hold")
    body = hoststate.script(change).rpartition("systemctl --quiet")[2]
    return [line for line in body.splitlines() if line.startswith(words)]


def test_apt_reads_its_sources_before_it_is_asked_and_services_their_files_afterwards() -> None:
    files = (File("/etc/containerd/config.toml", "a"), File("/etc/apt/sources.list.d/a.sources", "b"))
    gone = ("/etc/apt/keyrings/matrix-fleet-old.asc", "/etc/containerd/certs.d/a/hosts.toml")
    order = _order(StateChange(packages=("kubelet",), files=files, absent=gone, held=("kubelet",), lines=("x",)))
    assert [line.split()[0] for line in order] == [
        "mf_put",
        "mf_remove",
        "mf_install",
        "mf_put",
        "mf_remove",
        "apt-mark",
    ]
    assert "/etc/apt/sources.list.d/a.sources" in order[0]
    assert "/etc/apt/keyrings/" in order[1]
    assert "config.toml" in order[3]


def test_only_what_is_there_in_another_version_may_go_back_or_be_held() -> None:
    (fresh,) = _order(StateChange(packages=("kubelet",), lines=("x",)))
    (other,) = _order(StateChange(packages=("kubelet",), replaced=("kubelet",), lines=("x",)))
    assert fresh == "mf_install kubelet"
    assert other == "mf_install --allow-change-held-packages --allow-downgrades kubelet"


@pytest.mark.machine
def test_files_arrive_as_they_are_meant_and_what_is_ours_and_no_longer_meant_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here(monkeypatch)
    for name, text in (
        ("a/hosts.toml", "# Written by matrix-fleet.\n"),
        ("b/hosts.toml", "# Written by matrix-fleet.\n"),
        ("c/hosts.toml", "# Written by hand.\n"),
        ("matrix-fleet-key.asc", "key\n"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    stays = File(f"{tmp_path}/a/hosts.toml", "# Written by matrix-fleet.\nserver\n")
    patterns = (f"{tmp_path}/*/hosts.toml", f"{tmp_path}/matrix-fleet-*")
    wanted = HostState(files=(stays, File(f"{tmp_path}/new", "two\nlines\n", mode=0o600)), swept=patterns)
    done = hoststate.enforce(HOST, wanted, dry_run=False)
    assert done.change.absent == (f"{tmp_path}/b/hosts.toml", f"{tmp_path}/matrix-fleet-key.asc")
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {
        "a/hosts.toml",
        "c/hosts.toml",
        "new",
    }
    assert (tmp_path / "new").read_text("utf-8") == "two\nlines\n"
    assert observe(HOST, wanted).present == {stays.path}


def _update(folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Let the host's script read an empty list of sources, with everything of apt's in a folder."""
    (folder / "sources").touch()
    options = {"Dir::Etc::SourceList": "sources", "Dir::Etc::SourceParts": "none", "Dir::State::Lists": "lists"}
    words = " ".join(f"-o {name}={folder / value}" for name, value in {**options, "Dir::Cache": "cache"}.items())
    script = f"{hoststate.SCRIPT.read_text('utf-8')}\nmf_update {words}\n"
    return subprocess.run(("sh", "-s"), input=script.encode(), capture_output=True, timeout=60, check=False)


@pytest.mark.machine
def test_the_lock_of_the_lists_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "lists/partial").mkdir(parents=True)
    with (tmp_path / "lists/lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        release = threading.Timer(2.0, lambda: fcntl.lockf(lock, fcntl.LOCK_UN))
        release.start()
        started = time.monotonic()
        done = _update(tmp_path)
        assert (done.returncode, done.stderr) == (0, b"")
        assert time.monotonic() - started >= 1.9
        release.join()


@pytest.mark.machine
def test_another_complaint_of_apt_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "lists").write_text("no folder", "utf-8")
    started = time.monotonic()
    done = _update(tmp_path)
    assert done.returncode
    assert b"E: " in done.stderr
    assert time.monotonic() - started < 10


def test_what_apt_says_comes_with_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch)
    monkeypatch.setattr(
        hoststate,
        "_functions",
        lambda: (
            "mf_install() { echo 'E: no kubelet' >&2; echo noise >&2; echo \"could not install $1\" >&2; exit 74; }"
        ),
    )
    with pytest.raises(CommandFailed, match=r"could not install kubelet.*E: no kubelet") as raised:
        hoststate.carry_out(HOST, StateChange(packages=("kubelet",), lines=("x",)))
    assert "noise" not in str(raised.value)
    assert "kubernetes.repositories" in raised.value.next_step


@pytest.mark.machine
def test_folders_get_their_mode_and_go_once_they_are_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch)
    owner = f"{tmp_path.owner()}:{tmp_path.group()}"
    wanted = HostState(folders=(Folder(f"{tmp_path}/a", 0o2775, owner), Folder(f"{tmp_path}/a/b", 0o755, owner)))
    assert hoststate.enforce(HOST, wanted, dry_run=False).applied
    assert [(tmp_path / name).stat().st_mode & 0o7777 for name in ("a", "a/b")] == [0o2775, 0o755]
    assert not hoststate.enforce(HOST, wanted, dry_run=False).change
    (tmp_path / "a/kept").touch()
    with pytest.raises(CommandFailed, match=f"could not remove {tmp_path}/a"):
        hoststate.enforce(HOST, HostState(absent=(f"{tmp_path}/a/b", f"{tmp_path}/a")), dry_run=False)
    (tmp_path / "a/kept").unlink()
    hoststate.enforce(HOST, HostState(absent=(f"{tmp_path}/a",)), dry_run=False)
    assert not (tmp_path / "a").exists()


@pytest.mark.machine
def test_an_account_is_looked_at_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch)
    seen = observe(HOST, HostState(userless=("daemon", "root", "nobody-of-that-name"))).users
    assert seen["daemon"].locked
    assert "daemon" in seen["daemon"].groups
    # Whatever its password, root's number is no locked account's.
    assert not seen["root"].locked
    assert set(seen) == {"daemon", "root"}
