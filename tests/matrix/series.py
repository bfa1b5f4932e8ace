"""Messages at a steady pace, and what happens meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.matrix.matrix_lab import MatrixLab

EVERY_S = 0.5
_VALIDATE = (sys.executable, "-m", "lab", "run", "--", sys.executable, "-m", "flows.validate", "--gate", "message")
# Users are made before the first message, and the last one is waited for.
_AROUND_S = 180.0


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What a series came to: its figures by the report's names, and why its gate is as it is."""

    status: str
    why: str
    figures: dict[str, float]


def messages_while(
    matrix: MatrixLab, seconds: float, happens: Callable[[], object], after: float | None = None
) -> Heard:
    """
    Send two messages a second for so long, let something happen meanwhile, and return what was heard of them. With
    `after` the series ends so many seconds after that has happened, `seconds` at the latest.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "report.json"
        flags = ("--every", f"{EVERY_S:g}", "--for", f"{seconds:g}", "--json", str(answer))
        with subprocess.Popen(
            (*_VALIDATE, *flags),
            env=matrix.lab.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as run:
            assert run.stderr is not None
            written = ""
            while "the series begins" not in written:
                line = run.stderr.readline()
                assert line, f"the series did not begin: {written}"
                written += line
            happens()
            rest = ""
            if after is not None:
                with suppress(subprocess.TimeoutExpired):
                    _, rest = run.communicate(timeout=after)
                assert run.returncode is None, f"the series was over before what happened: {written}{rest}"
                # `lab run` becomes the flow itself: there is one process, and it is this one.
                run.send_signal(signal.SIGINT)
            _, rest = run.communicate(timeout=seconds + _AROUND_S)
        assert answer.exists(), written + rest
        (gate,) = json.loads(answer.read_text("utf-8"))["gates"]
    return Heard(status=gate["status"], why=gate["why"], figures=gate["figures"])
