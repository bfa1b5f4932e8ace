"""A rollout that is killed in the middle leaves what the next one finishes."""

from __future__ import annotations

import signal

from tests.cluster.lab_cluster import wrong
from tests.matrix.matrix_lab import MatrixLab
from tests.matrix.resumed import Resumed


def test_killed_in_the_middle_the_next_run_ends_green(resumed: Resumed, matrix: MatrixLab) -> None:
    assert resumed.killed == -signal.SIGKILL, resumed.written
    assert "redis-proxy: applying" in resumed.written
    assert (resumed.code, wrong(resumed.report)) == (0, [])
    states = {entry["name"]: entry["status"] for entry in resumed.report["components"]}
    assert "changed" in (states["redis-proxy"], states["haproxy"])
    assert matrix.changed("--dry-run") == (0, {})
