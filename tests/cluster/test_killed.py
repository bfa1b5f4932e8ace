"""A bootstrap killed in each of its phases in turn goes on where it was and ends with every node ready."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from flows._cluster.plan import NAMES
from tests.cluster.lab_cluster import LONG, LabCluster, wrong
from tests.lab.driver import booted

pytestmark = pytest.mark.all

# Seconds into the phase: in the middle of what it does, where it does much.
_INTO = {"os": 6.0, "runtime": 3.0, "firewall": 0.7, "init": 5.0, "control-planes": 8.0, "workers": 2.0, "cni": 1.5}


@pytest.fixture(scope="module")
def own() -> Iterator[LabCluster]:
    """Bare hosts of this module's own."""
    with booted("ck", "--profile", "small", "--bare") as lab:
        yield LabCluster(lab)


@pytest.mark.timeout(4 * LONG)
def test_a_run_killed_in_each_phase_ends_ready(own: LabCluster) -> None:
    for phase in NAMES:
        _kill_in(own, phase)
    code, report = own.flow("bootstrap", seconds=LONG)
    assert code == 0, wrong(report)
    assert own.ready() == {"cp-1", "cp-2", "cp-3", "w-1", "db-1", "li-1"}
    assert own.flow("etcd")[0] == 0


def _kill_in(own: LabCluster, phase: str) -> None:
    """Run bootstrap until it is some way into a phase, and kill it there."""
    argv = (sys.executable, "-m", "lab", "run", "--", sys.executable, "-m", "flows.bootstrap", "--no-color")
    with subprocess.Popen(
        argv, env=own.lab.environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as run:
        assert run.stderr is not None
        lines: list[str] = []
        for line in run.stderr:
            lines.append(line)
            if line.startswith("phase ") and f": {phase}: " in line:
                time.sleep(_INTO.get(phase, 0.4))
                os.kill(_holder(own), signal.SIGKILL)
                break
        else:
            pytest.fail(f"bootstrap ended before {phase}: {''.join(lines[-20:])}")
        run.communicate(timeout=60)


def _holder(own: LabCluster) -> int:
    """Return the process that holds the site: the lab's controller has this machine's process ids."""
    match = re.search(r"process (\d+)", (own.lab.inventory / "state" / "lock").read_text("utf-8"))
    assert match is not None, "bootstrap ended before it could be killed"
    return int(match[1])
