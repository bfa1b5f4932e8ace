"""A rollout that is killed in the middle leaves what the next one finishes."""

from __future__ import annotations

import signal
import subprocess
import sys

from tests.cluster.lab_cluster import wrong
from tests.matrix.matrix_lab import MatrixLab


def test_killed_in_the_middle_the_next_run_ends_green(matrix: MatrixLab) -> None:
    for kind, name in (("statefulset", "redis"), ("deployment", "redis-proxy"), ("deployment", "haproxy")):
        matrix.kubectl("-n", "matrix", "delete", kind, name, "--cascade=foreground")
    argv = (sys.executable, "-m", "lab", "run", "--", sys.executable, "-m", "flows.rollout")
    with subprocess.Popen(
        argv, env=matrix.lab.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr is not None
        told = []
        for line in run.stderr:
            told.append(line)
            if line.startswith(("redis: waiting", "redis: 1", "redis: applying")) or "created" in line:
                break
        # `lab run` becomes the flow itself: there is one process, and it is this one.
        run.send_signal(signal.SIGKILL)
        run.stderr.close()
    assert run.returncode == -signal.SIGKILL, "".join(told)
    code, report = matrix.flow("rollout")
    assert (code, wrong(report)) == (0, [])
    assert matrix.changed("--dry-run") == (0, {})
