"""A timed command keeps its exit code and its streams, and what it took is told beside them."""

from __future__ import annotations

import re
import subprocess
import sys

from model.checkout import ROOT

_WORK = "import sys; sum(range(10**7)); print('done'); sys.exit(3)"


def test_seconds_and_processor_time_are_told_and_the_exit_code_is_the_commands() -> None:
    argv = (sys.executable, "-m", "benchmarks.timed", sys.executable, "-c", _WORK)
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "done\n")
    told = re.fullmatch(r"  took (\d+) s, (\d+) s of this machine's processors\n", done.stderr)
    assert told
