"""One measured figure, and how a command's wall time is taken."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass


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


def wall(argv: Sequence[str], good: Sequence[int] = (0,)) -> float:
    """
    Run a command and return its wall time in seconds.

    Raises RuntimeError with its last lines when it ends with an exit code not in `good`: a failed run is no measurement.
    """
    started = time.monotonic()
    done = subprocess.run(list(argv), capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode not in good:
        tail = (done.stdout + done.stderr)[-1500:]
        raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}:\n{tail}")
    return seconds
