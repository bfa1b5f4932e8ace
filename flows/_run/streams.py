"""Standard output and standard error that never stop a run: what nobody reads any more is dropped."""

from __future__ import annotations

import io
import os
import select
import sys
from pathlib import Path
from typing import TextIO

from typing_extensions import Buffer, override

_NAMES = ("stdout", "stderr")
_broken: dict[int, OSError] = {}
# Opened in the place of streams that were missing, until the process ends.
_opened: list[TextIO] = []


class Outlet(io.RawIOBase):
    """
    A descriptor that is written to for as long as somebody takes what is written.

    A pipe whose reader has gone, a terminal that was closed or a full disk end the output, and nothing else: a run may
    hold hosts in the middle of a change.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__()
        self.name = name
        self._descriptor = descriptor

    @override
    def writable(self) -> bool:
        return True

    @override
    def fileno(self) -> int:
        return self._descriptor

    @override
    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    @override
    def write(self, data: Buffer, /) -> int:
        size = memoryview(data).nbytes
        if self._descriptor in _broken:
            return size
        while True:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                # Whoever shares the descriptor has made it non-blocking.
                select.select((), (self._descriptor,), ())
            except OSError as error:
                _broken[self._descriptor] = error
                return size


def install() -> None:
    """Let the process's standard output and standard error, also where it was started without them, be outlets."""
    for descriptor, name in enumerate(_NAMES, 1):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - kept open
            _opened.append(stream)
        try:
            stream.flush()
        except OSError as error:
            _broken[descriptor] = error
        outlet = io.BufferedWriter(Outlet(stream.fileno(), f"<{name}>"))
        # Standard error as a terminal shows it; standard output as Python would have it.
        lines = name == "stderr" or outlet.isatty()
        setattr(sys, name, io.TextIOWrapper(outlet, stream.encoding, stream.errors, line_buffering=lines))


def broken(stream: object) -> OSError | None:
    """Return what ended a stream of this process; None while it is written to."""
    try:
        return _broken.get(stream.fileno()) if isinstance(stream, io.IOBase) else None
    except (OSError, ValueError):
        return None
