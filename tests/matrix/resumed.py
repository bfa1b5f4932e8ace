"""A rollout that is killed in its middle, and the one after it, watched."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from tests.matrix.leaks import Search, Watch, watching
from tests.matrix.matrix_lab import MatrixLab

_ROLLOUT = (sys.executable, "-m", "lab", "run", "--", sys.executable, "-m", "flows.rollout")
_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """
    How the killed run ended and what it had written by then; the next run's exit code and report, and what was seen of
    programs while it ran.
    """

    killed: int
    written: str
    code: int
    report: dict[str, Any]
    watch: Watch


def killed_and_resumed(matrix: MatrixLab, search: Search) -> Resumed:
    """Kill a rollout once it writes, and let another finish."""
    matrix.kubectl("-n", "matrix", "delete", "deployment", "redis-proxy", "haproxy", "--cascade=foreground")
    killed, written = killed_at(matrix, "redis-proxy: applying")
    with watching(search, _BETWEEN_LOOKS) as watch:
        code, report = matrix.flow("rollout")
    return Resumed(killed=killed, written=written, code=code, report=report, watch=watch)


def killed_at(matrix: MatrixLab, words: str) -> tuple[int, str]:
    """Begin a rollout and end it by force once it says these words; return how it ended and what it had written."""
    with subprocess.Popen(
        _ROLLOUT, env=matrix.lab.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr is not None
        lines = []
        for line in run.stderr:
            lines.append(line)
            if line.startswith(words):
                break
        # `lab run` becomes the flow itself: there is one process, and it is this one.
        run.send_signal(signal.SIGKILL)
        run.stderr.close()
    return run.returncode, "".join(lines)
