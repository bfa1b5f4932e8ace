"""Calls of the machine's programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import LabError

# Sessions of ordinary users lack the administrators' folders.
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for programs of the machine: plain locale, full path, no question ever asked."""
    base = {**os.environ, "PATH": _PATH, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    return {**base, **(extra or {})}


def call(argv: Sequence[str], stdin: str = "", seconds: float = 60, extra: Mapping[str, str] | None = None) -> str:
    """
    Run one program to its end and return what it printed.

    Raises LabError with its last words when it fails or takes longer than `seconds`.
    """
    try:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, timeout=seconds, env=environment(extra), check=False
        )
    except subprocess.TimeoutExpired as expired:
        raise LabError(f"`{' '.join(argv)}` did not end within {seconds:.0f} s") from expired
    except FileNotFoundError as missing:
        raise LabError(
            f"`{argv[0]}` is not on this machine; run `make demo` once, it installs what the lab needs"
        ) from missing
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip())[-1500:]
        raise LabError(f"`{' '.join(argv)}` ended with {done.returncode}: {words}")
    return done.stdout


def logged(argv: Sequence[str], log: Path, seconds: float, extra: Mapping[str, str] | None = None) -> None:
    """
    Run one program whose output goes to the end of the file `log`.

    Raises LabError with the log's last lines when it fails or takes longer than `seconds`.
    """
    with log.open("ab") as sink:
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                timeout=seconds,
                env=environment(extra),
                check=False,
            )
        except subprocess.TimeoutExpired as expired:
            raise LabError(f"`{argv[0]}` did not end within {seconds:.0f} s; see {log}") from expired
    if done.returncode:
        tail = "\n".join(log.read_text("utf-8", "replace").splitlines()[-15:])
        raise LabError(f"`{' '.join(argv)}` ended with {done.returncode}; the end of {log}:\n{tail}")
