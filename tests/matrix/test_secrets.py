"""No value of any secret is anywhere but in the encrypted store, in Secrets, and in the files of pods that need it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from model.rollout.secret_names import kept_refs
from model.site.load import load_site
from tasks.secrets.store import open_store
from tests.matrix.leaks import Search, searching
from tests.matrix.matrix_lab import Copy, MatrixLab

_TOLD = "standing by itself to be found"
_BETWEEN_LOOKS = 0.1
# What a host has written down, each part closed by what would be found. No pod runs on some hosts, all have a log.
_LOGS = f"""
set -e
readable() {{ LC_ALL=C tr -cd '\\11\\12\\40-\\176'; }}
journalctl --no-pager --output=cat --quiet | readable
printf '%s' '{_TOLD}'
find /var/log -name '*.log*' -type f -exec cat {{}} + | readable
printf '%s' '{_TOLD}'
"""


@pytest.fixture(scope="module")
def search(matrix: MatrixLab) -> Iterator[Search]:
    site = load_site(matrix.lab.inventory)
    store = open_store(site)
    values = {
        f"{ref.name}/{ref.key}": store.value(ref.name, ref.key)
        for ref in kept_refs(site)
        if store.has(ref.name, ref.key)
    }
    assert len(values) > 10
    with searching(values, _TOLD.encode()) as search:
        yield search


@pytest.mark.parametrize(
    "form",
    [
        _TOLD,
        "c3RhbmRpbmcgYnkgaXRzZWxmIHRvIGJlIGZvdW5k",
        "standing%20by%20itself%20to%20be%20found",
        _TOLD.encode().hex(),
    ],
)
def test_a_value_would_be_found_in_every_form(search: Search, form: str) -> None:
    assert search.in_text(f"before {form} after".encode())
    assert not search.in_text(b"standing by itself to be lost")


def test_none_is_in_the_sites_folder_and_in_what_is_rendered(matrix: MatrixLab, search: Search, tmp_path: Path) -> None:
    assert matrix.flow("rollout", "--render", str(tmp_path / "rendered"))[0] == 0
    assert len(list((tmp_path / "rendered").rglob("*.yaml"))) > 100
    assert search.in_files(matrix.lab.inventory, tmp_path) == []


@pytest.mark.parametrize("place", ["argv", "environment"])
def test_a_value_in_a_process_would_be_found(search: Search, place: str) -> None:
    words = ("sh", "-c", "read line", _TOLD if place == "argv" else "sh")
    with subprocess.Popen(words, env={"PLACE": _TOLD} if place == "environment" else {}, stdin=subprocess.PIPE) as run:
        found = search.in_processes()
        run.kill()
    assert {f"sh ({run.pid})"} <= found


def test_none_is_in_an_argument_or_in_an_environment_while_rollouts_run(matrix: MatrixLab, search: Search) -> None:
    matrix.kubectl("-n", "matrix", "delete", "deployment", "redis-proxy")
    argv = (sys.executable, "-m", "lab", "run", "--", sys.executable, "-m", "flows.rollout", "--gates", "--quiet")
    found: set[str] = set()
    looks = 0
    with subprocess.Popen(argv, env=matrix.lab.environment) as run:
        while run.poll() is None:
            found |= search.in_processes()
            looks += 1
            with suppress(subprocess.TimeoutExpired):
                run.wait(_BETWEEN_LOOKS)
    assert run.returncode == 0
    assert looks > 10
    assert found == set()


def test_none_is_in_an_object_that_is_no_secret_nor_in_an_event(matrix: MatrixLab, search: Search) -> None:
    kinds = [
        kind for kind in matrix.kubectl("api-resources", "--verbs=list", "-o", "name").split() if kind != "secrets"
    ]
    assert {"configmaps", "events", "pods"} <= set(kinds)
    # One kind has what is sought, so that silence about the others says something.
    matrix.kubectl("-n", "default", "create", "serviceaccount", "control")
    try:
        matrix.kubectl("-n", "default", "annotate", "serviceaccount", "control", f"example.org/told={_TOLD}")
        leaking = [
            kind
            for kind in kinds
            if search.in_text(matrix.kubectl("get", kind, "-A", "-o", "yaml", "--show-managed-fields").encode())
        ]
    finally:
        matrix.kubectl("-n", "default", "delete", "serviceaccount", "control")
    assert leaking == ["serviceaccounts"]


def test_none_is_in_a_journal_or_a_log_of_a_host(matrix: MatrixLab, search: Search) -> None:
    leaking = []
    for host in (entry["name"] for entry in matrix.lab.status["hosts"]):
        done = matrix.lab.shell(host, ("sh", "-c", _LOGS))
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith(_TOLD), f"{host}: its logs were not read to the end"
        journal, logs, _ = done.stdout.split(_TOLD)
        assert journal.strip(), f"{host}: no journal"
        if search.in_text(journal.encode()) or search.in_text(logs.encode()):
            leaking.append(host)
    assert leaking == []


def test_none_is_shown_by_a_verbose_run_or_by_an_error(matrix: MatrixLab, search: Search, trials: Copy) -> None:
    matrix.kubectl(
        "-n", "matrix", "label", "secret", "redis-config", "matrix-fleet.io/component=somebody", "--overwrite"
    )
    told = [matrix.lab.run((sys.executable, "-m", "flows.rollout", "-v", *flags)) for flags in (("--dry-run",), ())]
    refused = trials.verbose("--component", "trial-ground,trial-secret")
    assert [run.returncode for run in (*told, refused)] == [2, 0, 3]
    assert "Secret" in refused.stdout
    shown = [search.in_text((run.stdout + run.stderr).encode()) for run in (*told, refused)]
    assert shown == [False] * 3
    assert search.in_files(matrix.lab.inventory) == []
