"""`run.log` of a run's folder: what was said on screen, with times, written as it is said."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from flows._render.words import printable

NAME = "run.log"


class RunLog:
    """
    The log of one run (mode 0600), safe to write from any thread; it follows its folder when that is renamed.

    It holds progress, errors and the summary, also where the screen is quiet, and nothing of what a command prints on
    standard output because it was asked for it: that may be a secret.
    """

    def __init__(self, folder: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._lock = threading.Lock()
        self._handle: int | None = None
        # Without room for it the run goes on: its report tells when it cannot be written either.
        with suppress(OSError):
            self._handle = os.open(folder / NAME, flags, 0o600)

    def write(self, level: str, text: str) -> None:
        """Append a text, each of its lines with the time (UTC) and the level."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        lines = "".join(f"{now} {level:<7} {line}\n" for line in printable(text).splitlines() or [""])
        with self._lock, suppress(OSError):
            if self._handle is not None:
                os.write(self._handle, lines.encode(errors="backslashreplace"))

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            handle, self._handle = self._handle, None
            if handle is not None:
                os.close(handle)
