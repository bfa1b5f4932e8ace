"""A rollout that is killed in its middle, and the one after it, watched."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.matrix.leaks import Search
from tests.matrix.matrix_lab import MatrixLab

_ROLLOUT = (sys.executable, "-m", "lab", "run", "--", sys.executable, "-m", "flows.rollout")
_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """
    How the killed run ended and what it had written by then; the next run's exit code and report, how often programs
    were looked at while it ran, and which showed a value of a secret.
    """

    killed: int
    written: str
    code: int
    report: dict[str, Any]
    looks: int
    leaking: set[str]


def killed_and_resumed(matrix: MatrixLab, search: Search, folder: Path) -> Resumed:
    """Kill a rollout once it writes, and let another finish."""
    for name in ("redis-proxy", "haproxy"):
        matrix.kubectl("-n", "matrix", "delete", "deployment", name, "--cascade=foreground")
    killed, written = killed_at(matrix, "redis-proxy: applying")
    answer = folder / "report.json"
    leaking: set[str] = set()
    looks = 0
    with (
        answer.open("wb") as file,
        subprocess.Popen((*_ROLLOUT, "--json", "-", "--quiet"), env=matrix.lab.environment, stdout=file) as run,
    ):
        while run.poll() is None:
            leaking |= search.in_processes()
            looks += 1
            with suppress(subprocess.TimeoutExpired):
                run.wait(_BETWEEN_LOOKS)
    report = json.loads(answer.read_text("utf-8"))
    return Resumed(killed=killed, written=written, code=run.returncode, report=report, looks=looks, leaking=leaking)


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
