"""Hosts' commands run on this machine: what would travel over SSH goes through a pipe instead."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from remote.command import first_lines
from remote.shell import Completed


class LocalStream:
    """`remote.shell.Stream` of a process here."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._said = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        self._said = self._process.stderr.read()

    def write(self, data: bytes) -> None:
        """Send bytes; raises `EOFError` when the process has ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
        except BrokenPipeError:
            self._reader.join(10)
            raise EOFError(self.complaint()) from None

    def end_input(self) -> None:
        """Close its input."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def complaint(self) -> str:
        """Return what it said on standard error."""
        self._reader.join(10)
        return first_lines(self._said)

    def exit_code(self, timeout: float) -> int | None:
        """Wait for its end."""
        return self._process.wait(timeout)

    def close(self) -> None:
        """Let go of it."""
        self._process.kill()
        self._process.wait()
        self._reader.join(10)
        for pipe in (self._process.stdin, self._process.stderr):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()


def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `remote.shell` run commands on this machine for the rest of the test."""

    def run(
        _host: Any, argv: Sequence[str], *, stdin: bytes = b"", root: bool = False, timeout: float = 30.0
    ) -> Completed:
        done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout, check=False)
        return Completed(tuple(argv), done.returncode, done.stdout, done.stderr, 0.0)

    def start(_host: Any, argv: Sequence[str], *, root: bool = False, timeout: float = 30.0) -> LocalStream:
        return LocalStream(argv)

    monkeypatch.setattr("remote.shell.run", run)
    monkeypatch.setattr("remote.shell.start", start)
