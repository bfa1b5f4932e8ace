"""One measured figure, and how a command's wall time is taken."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` is the median of `n` runs; `against` names what a ratio compares with, empty for absolute figures."""

    name: str
    value: float
    unit: str
    against: str
    n: int

    def to_json(self) -> dict[str, object]:
        """Return it as results.json has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Used:
    """What one run of a command took: wall time, CPU time of all its processes, memory of the largest of them."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def machine_cpu_seconds() -> float:
    """Return the seconds for which this machine's processors have worked (proc(5), /proc/stat: user, nice, system)."""
    words = Path("/proc/stat").read_text("utf-8").split("\n", 1)[0].split()
    return sum(map(int, words[1:4])) / os.sysconf("SC_CLK_TCK")


def wall(argv: Sequence[str], good: Sequence[int] = (0,), environment: Mapping[str, str] | None = None) -> float:
    """
    Run a command and return its wall time in seconds.

    Raises RuntimeError with its last lines when it ends with an exit code not in `good`: a failed run is no
    measurement.
    """
    return used(argv, good, environment).seconds


def used(argv: Sequence[str], good: Sequence[int] = (0,), environment: Mapping[str, str] | None = None) -> Used:
    """Run a command and return what it took; raises as `wall` does."""
    with tempfile.TemporaryFile() as output:
        started = time.monotonic()
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
        )
        _, status, resources = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        code = process.returncode = os.waitstatus_to_exitcode(status)
        if code not in good:
            output.seek(0)
            tail = output.read().decode(errors="replace")[-1500:]
            raise RuntimeError(f"{' '.join(argv)} ended with {code}:\n{tail}")
    return Used(seconds, resources.ru_utime + resources.ru_stime, resources.ru_maxrss / 1024)
