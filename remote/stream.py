"""A command on a host that runs on while bytes are exchanged with it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from model.errors import shown
from remote.channel import Pipe, let_go

_KEPT_COMPLAINTS = 1 << 16
_WRITE_SECONDS = 60.0
_POLL_SECONDS = 0.05
_PIECE = 1 << 15
_COMPLAINT_LINES = 5


class ChannelStream:
    """`remote.shell.Stream` over an SSH channel."""

    def __init__(self, host: str, argv: Sequence[str], pipe: Pipe) -> None:
        self.host = host
        self.argv = tuple(argv)
        self._pipe = pipe
        pipe.bound_err(_KEPT_COMPLAINTS)
        pipe.channel.settimeout(_POLL_SECONDS)
        self._seen = 0

    def write(self, data: bytes) -> None:
        """
        Send bytes to its standard input; raises `EOFError` when it has ended, `TimeoutError` when it does not read.
        """
        rest = memoryview(data)
        deadline = time.monotonic() + _WRITE_SECONDS
        while rest:
            try:
                rest = rest[self._pipe.channel.send(bytes(rest[:_PIECE])) :]
                deadline = time.monotonic() + _WRITE_SECONDS
            except TimeoutError:
                # It may be waiting for us to take what it writes.
                self._pipe.take(0)
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self}: reads nothing since {_WRITE_SECONDS:g} s") from None
            except OSError:
                self._pipe.take(0)
                raise EOFError(f"{self}: has ended: {self.complaint()}") from None

    def end_input(self) -> None:
        """End its standard input."""
        self._pipe.channel.shutdown_write()

    def read_line(self, timeout: float) -> bytes:
        """Return the next line without its end; raises `TimeoutError`, and `EOFError` with its last complaint."""
        deadline = time.monotonic() + timeout
        while (end := self._pipe.out.find(b"\n", self._seen)) < 0:
            self._seen = len(self._pipe.out)
            self._more(deadline, timeout)
        line = bytes(self._pipe.out[:end])
        self._drop(end + 1)
        return line

    def read_exactly(self, count: int, timeout: float) -> bytes:
        """Return the next `count` bytes; raises as `read_line` does."""
        deadline = time.monotonic() + timeout
        while len(self._pipe.out) < count:
            self._more(deadline, timeout)
        data = bytes(self._pipe.out[:count])
        self._drop(count)
        return data

    def complaint(self) -> str:
        """Return the last lines of its standard error."""
        lines = self._pipe.err.decode(errors="replace").strip().splitlines()
        return "; ".join(line.strip() for line in lines[-_COMPLAINT_LINES:]) or "it said nothing"

    def exit_code(self, timeout: float) -> int | None:
        """Wait for its exit code; None when it still runs after `timeout` seconds."""
        return self._pipe.finish(time.monotonic() + timeout)

    def close(self) -> None:
        """End its input and let go of it; a well-behaved command ends then."""
        let_go(self._pipe.channel)

    def __str__(self) -> str:
        return f"{self.host}: `{shown(self.argv)}`"

    def _more(self, deadline: float, timeout: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"{self}: no answer within {timeout:g} s")
        if not self._pipe.take(left) and self._pipe.ended:
            raise EOFError(f"{self}: has ended: {self.complaint()}")

    def _drop(self, count: int) -> None:
        del self._pipe.out[:count]
        self._seen = 0
