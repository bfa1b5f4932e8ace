"""The stream of `--events`: what happens in a run, a JSON line each, written and flushed as it happens."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import BinaryIO, Literal

from flows._run.options import Options
from flows._run.streams import broken
from model.errors import SiteError

Kind = Literal["run-started", "phase-begun", "phase-ended", "host-begun", "host-ended", "message", "run-ended"]


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class Events:
    """
    The events of one run, safe to write from any thread; without `--events` they go nowhere.

    `run` is the run's name; the first line is always `run-started`. A stream that breaks in the middle does not stop
    the run, which may hold hosts in the middle of a change: `broken` then says why.
    """

    def __init__(self, flow: str, run: str, about: Mapping[str, object]) -> None:
        self.run = run
        self.broken = ""
        self._flow = flow
        self._about = about
        self._begun = False
        self._stream: BinaryIO | None = None
        self._lock = threading.RLock()

    @classmethod
    def nowhere(cls) -> Events:
        """Return events that nobody reads."""
        return cls("", "", {})

    def open(self, options: Options) -> None:
        """
        Open what `--events` names: a file is appended to, a new one is of mode 0600 like run.log.

        Raises `SiteError` where it cannot be written.
        """
        target = options.events
        if target is None:
            return
        if target == "-":
            if options.json == "-":
                raise SiteError("--events - and --json - exclude each other: give one of them a file")
            self._stream = sys.stdout.buffer
            return
        try:
            # Closed when the run ends.
            self._stream = open(target, "ab", buffering=0, opener=_for_the_owner)  # noqa: SIM115 - closed by close()
        except OSError as error:
            reason = error.strerror or error
            raise SiteError(f"--events {target}: {reason}; name a file in a folder that exists") from error

    def write(self, event: Kind, **fields: object) -> None:
        """Append one event with its time, flow and run; `run-started` comes before any other."""
        with self._lock:
            if self._stream is None:
                return
            if not self._begun:
                self._begun = True
                self._line("run-started", self._about)
            if event != "run-started":
                self._line(event, fields)

    def message(self, level: str, text: str) -> None:
        """Append what a person is told."""
        self.write("message", level=level, text=text)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            stream, self._stream = self._stream, None
            if stream is not None and stream is not sys.stdout.buffer:
                stream.close()

    def _line(self, event: Kind, fields: Mapping[str, object]) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": now, "flow": self._flow, "run": self.run, "event": event, **fields}
        try:
            if self._stream is not None:
                # One write a line: several runs may share the file.
                self._stream.write(json.dumps(line, default=str).encode() + b"\n")
                self._stream.flush()
                if (lost := broken(self._stream)) is not None:
                    raise lost
        except OSError as error:
            self.broken = error.strerror or str(error)
            self.close()
