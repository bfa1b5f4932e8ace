"""Bytes to and from one command, on three streams, without either side waiting for the other."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from paramiko import Channel, SSHException

_CHUNK = 1 << 18
# sshd's first window is far larger: so much never blocks, and needs no thread.
_WRITTEN_AT_ONCE = 1 << 15
_KEPT_PREAMBLE = 1 << 16


def let_go(channel: Channel) -> None:
    """Close a channel; where its connection broke, and nobody noticed yet, there is nobody to tell."""
    with suppress(OSError, EOFError, SSHException):
        channel.close()


class Preamble:
    """
    What comes on a stream before the command's own bytes, which `mark` begins; without a mark all are its own.

    `text` is what came before; of much of it the end.
    """

    def __init__(self, mark: bytes) -> None:
        self.text = bytearray()
        self.over = not mark
        self._mark = mark

    def own(self, data: bytes) -> bytes:
        """Return what of the next bytes is the command's."""
        if self.over:
            return data
        self.text += data
        before, mark, rest = self.text.partition(self._mark)
        self.over = bool(mark)
        self.text = before[-_KEPT_PREAMBLE:]
        return bytes(rest)


class Pipe:
    """
    One command's streams on an SSH channel.

    `out` and `err` hold what came of the command's own and was not taken, `before_out` and `before_err` what came
    before it was started, as `starts` tells.
    """

    def __init__(self, channel: Channel, starts: bytes = b"") -> None:
        self.channel = channel
        self.out = bytearray()
        self.err = bytearray()
        self.before_out = Preamble(starts)
        self.before_err = Preamble(starts)
        self._keep_err: int | None = None
        self._news = threading.Event()
        # Emptying one buffer clears the event of both, so nobody waits before a look at both found nothing.
        # (The channel's own descriptor for `select` loses wake-ups when both streams carry data.)
        channel.in_buffer.set_event(self._news)
        channel.in_stderr_buffer.set_event(self._news)

    def bound_err(self, count: int) -> None:
        """Keep only the latest `count` bytes of `err` from now on."""
        self._keep_err = count

    def take(self, seconds: float) -> bool:
        """
        Add what came to `out` and `err`, waiting for it if need be; False when time ran out or both streams have ended.
        """
        if self._drain():
            return True
        if not self.ended:
            self._news.wait(max(0.0, seconds))
        return self._drain()

    @property
    def started(self) -> bool:
        """Return whether the command itself was started."""
        return self.before_out.over or self.before_err.over

    @property
    def refusal(self) -> bytes:
        """Return what was said in the place of a command that was not started."""
        return bytes(self.before_err.text or self.before_out.text)

    @property
    def ended(self) -> bool:
        """Return whether no more bytes can come than already lie in the channel."""
        return bool(self.channel.eof_received or self.channel.closed)

    def _drain(self) -> bool:
        came = False
        while self.channel.recv_ready():
            self.out += self.before_out.own(self.channel.recv(_CHUNK))
            came = True
        while self.channel.recv_stderr_ready():
            self.err += self.before_err.own(self.channel.recv_stderr(_CHUNK))
            came = True
        if self._keep_err is not None and len(self.err) > self._keep_err:
            del self.err[: -self._keep_err]
        return came

    def feed(self, data: bytes) -> None:
        """
        Send all of the command's standard input and end it, without blocking; a command that ends early loses the rest.
        """
        if len(data) <= _WRITTEN_AT_ONCE:
            self._feed(data)
        else:
            threading.Thread(target=self._feed, args=(data,), name="stdin", daemon=True).start()

    def _feed(self, data: bytes) -> None:
        with suppress(OSError, EOFError, SSHException):
            self.channel.sendall(data)
            self.channel.shutdown_write()

    def exit_code(self, seconds: float) -> int | None:
        """
        Wait for the exit code: None when the time ran out, -1 when a signal killed the command or the connection broke.
        """
        if not self.channel.status_event.wait(max(0.0, seconds)):
            return None
        return self.channel.exit_status

    def finish(self, deadline: float) -> int | None:
        """
        Take everything until the command has ended; return its exit code, or None when `deadline` (monotonic) passes.
        """
        while (left := deadline - time.monotonic()) > 0:
            if not self.take(left) and self.ended and not self._drain():
                return self.exit_code(deadline - time.monotonic())
        return None
