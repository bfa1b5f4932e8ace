"""Talk with the controller: one JSON object a line on standard input and output; the end of input ends the agent."""

from __future__ import annotations

import json
import os
import select
from collections import deque
from typing import Any

Message = dict[str, Any]


class BadMessage(Exception):
    """The controller asked for something that cannot be done; its text goes back to it."""


class Channel:
    """Standard input and output of the agent, read without ever blocking its packet loop."""

    def __init__(self, fd_in: int = 0, fd_out: int = 1) -> None:
        self.fd = fd_in
        self._out = fd_out
        self._part = b""
        self._poll = select.poll()
        self._poll.register(fd_in, select.POLLIN)
        self._waiting: deque[bytes] = deque()

    def read(self) -> None:
        """Take in what is there to read; raises SystemExit at the end of input."""
        data = os.read(self.fd, 1 << 20)
        if not data:
            raise SystemExit(0)
        *lines, self._part = (self._part + data).split(b"\n")
        self._waiting.extend(lines)

    def wait(self, milliseconds: float | None) -> None:
        """Wait until the controller wrote, at most this long, and take it in."""
        if self._poll.poll(milliseconds):
            self.read()

    def next(self) -> Message | None:
        """Return the next whole message, if there is one."""
        if not self._waiting:
            return None
        line = self._waiting.popleft()
        try:
            message = json.loads(line)
        except ValueError as error:
            raise BadMessage(f"not JSON: {error}") from error
        if not isinstance(message, dict):
            raise BadMessage("not a JSON object")
        return message

    def say(self, message: Message) -> None:
        """Write a message; raises SystemExit when nobody reads any more."""
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._out, data) :]
        except BrokenPipeError:
            raise SystemExit(0) from None
