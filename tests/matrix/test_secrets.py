"""No value of any secret is anywhere but in the encrypted store, in Secrets, and in the files of pods that need it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.matrix.leaks import CONTROL, Search, Watch, watching
from tests.matrix.matrix_lab import Copy, MatrixLab
from tests.matrix.resumed import Resumed

# What a host has written down, each part closed by what would be found. No pod runs on some hosts, all have a log.
_LOGS = f"""
set -e
readable() {{ LC_ALL=C tr -cd '\\11\\12\\40-\\176'; }}
journalctl --no-pager --output=cat --quiet | readable
printf '%s' '{CONTROL}'
find /var/log -name '*.log*' -type f -exec cat {{}} + | readable
printf '%s' '{CONTROL}'
"""

# What pods that run here keep on the host's disk; volumes in memory are other file systems.
_KEPT = f"""
set -e -o pipefail
pods=/var/lib/kubelet/pods
if [ -d $pods ]; then
    find $pods -xdev -type f -path '*/kubernetes.io~empty-dir/*' -exec cat {{}} + | LC_ALL=C tr -cd '\\11\\12\\40-\\176'
fi
printf '%s' '{CONTROL}'
"""

# What stands on it was not changed, and need not be tried again.
_REDIS = ("--component", "redis")


@pytest.mark.parametrize(
    "form",
    [
        CONTROL,
        "c3RhbmRpbmcgYnkgaXRzZWxmIHRvIGJlIGZvdW5k",
        "standing%20by%20itself%20to%20be%20found",
        CONTROL.encode().hex(),
        *(base64.b64encode(f"{'-' * before}{CONTROL} and more".encode()).decode() for before in range(4)),
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
    words = ("sh", "-c", "read line", CONTROL if place == "argv" else "sh")
    with subprocess.Popen(
        words, env={"PLACE": CONTROL} if place == "environment" else {}, stdin=subprocess.PIPE
    ) as run:
        found = search.in_processes()
        run.kill()
    assert {f"sh ({run.pid})"} <= found


def test_none_is_in_an_argument_or_in_an_environment_while_rollouts_run(
    first_watched: tuple[int, dict[str, Any], Watch], resumed: Resumed
) -> None:
    for watch in (first_watched[2], resumed.watch):
        assert watch.looks > 10
        assert watch.leaking == set()


def test_none_is_in_one_while_gates_are_tried_and_secrets_are_told_of(matrix: MatrixLab, search: Search) -> None:
    with watching(search, 0.2) as watch:
        codes = [
            matrix.flow("validate", "--gate", "postgresql,redis,object-storage,synapse")[0],
            matrix.flow("secrets", "status")[0],
        ]
    assert codes == [0, 0]
    assert watch.looks > 5
    assert watch.leaking == set()


def test_none_is_in_an_object_that_is_no_secret_nor_in_an_event(matrix: MatrixLab, search: Search) -> None:
    kinds = [
        kind for kind in matrix.kubectl("api-resources", "--verbs=list", "-o", "name").split() if kind != "secrets"
    ]
    assert {"configmaps", "events", "pods"} <= set(kinds)
    # One kind has what is sought, so that silence about the others says something.
    matrix.kubectl("-n", "default", "create", "serviceaccount", "control")
    try:
        matrix.kubectl("-n", "default", "annotate", "serviceaccount", "control", f"example.org/told={CONTROL}")
        listed = matrix.kubectl("get", ",".join(kinds), "-A", "-o", "json", "--show-managed-fields")
        items = json.loads(listed)["items"]
        found = {item["kind"] for item in items}
        texts = {kind: json.dumps([item for item in items if item["kind"] == kind]).encode() for kind in found}
        leaking = {kind for kind, text in texts.items() if search.in_text(text)}
    finally:
        matrix.kubectl("-n", "default", "delete", "serviceaccount", "control")
    assert {"ConfigMap", "Event", "Pod"} <= found
    assert leaking == {"ServiceAccount"}


def test_none_is_told_by_what_stands_beside_a_secrets_data(matrix: MatrixLab, search: Search) -> None:
    beside = [
        {word: value for word, value in item.items() if word not in ("data", "stringData")}
        for item in matrix.objects("secrets", "-A", "--show-managed-fields")
    ]
    assert len(beside) > 20
    told = {**beside[0], "metadata": {"annotations": {"example.org/told": CONTROL}}}
    leaking = [item["metadata"] for item in (*beside, told) if search.in_text(json.dumps(item).encode())]
    assert leaking == [told["metadata"]]


def test_none_is_in_a_journal_or_a_log_of_a_host(matrix: MatrixLab, search: Search) -> None:
    leaking = []
    for host in (entry["name"] for entry in matrix.lab.status["hosts"]):
        done = matrix.lab.shell(host, ("sh", "-c", _LOGS))
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith(CONTROL), f"{host}: its logs were not read to the end"
        journal, logs, _ = done.stdout.split(CONTROL)
        assert journal.strip(), f"{host}: no journal"
        if search.in_text(journal.encode()) or search.in_text(logs.encode()):
            leaking.append(host)
    assert leaking == []


def test_none_is_in_a_volume_of_a_pod_on_a_hosts_disk(matrix: MatrixLab, search: Search) -> None:
    kept, leaking = "", []
    for host in (entry["name"] for entry in matrix.lab.status["hosts"]):
        done = matrix.lab.shell(host, ("bash", "-c", _KEPT))
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith(CONTROL), f"{host}: its pods' files were not read to the end"
        text = done.stdout.removesuffix(CONTROL)
        kept += text
        if search.in_text(text.encode()):
            leaking.append(host)
    assert kept, "no pod keeps anything: nothing was searched"
    assert leaking == []


def test_none_is_shown_by_a_verbose_run_or_by_an_error(matrix: MatrixLab, search: Search, trials: Copy) -> None:
    matrix.kubectl(
        "-n", "matrix", "label", "secret", "redis-config", "matrix-fleet.io/component=somebody", "--overwrite"
    )
    told = [matrix.lab.run((sys.executable, "-m", "flows.rollout", "-v", *flags)) for flags in (("--dry-run",), _REDIS)]
    refused = trials.verbose("--component", "trial-ground,trial-secret")
    assert [run.returncode for run in (*told, refused)] == [2, 0, 3]
    assert "Secret" in refused.stdout
    shown = [search.in_text((run.stdout + run.stderr).encode()) for run in (*told, refused)]
    assert shown == [False] * 3
    assert search.in_files(matrix.lab.inventory) == []
