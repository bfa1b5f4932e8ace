"""`python -m benchmarks.timed CMD ...`: run a command, and say what it and all that works for it took."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.figure import machine_cpu_seconds


def main(argv: Sequence[str]) -> int:
    """Run the command with these streams and return its exit code."""
    started, before = time.monotonic(), machine_cpu_seconds()
    code = subprocess.run(list(argv), check=False).returncode
    seconds, cpu = time.monotonic() - started, machine_cpu_seconds() - before
    sys.stderr.write(f"  took {seconds:.0f} s, {cpu:.0f} s of this machine's processors\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
