"""A talk with one agent: JSON lines over a stream, every answer within a time limit."""

from __future__ import annotations

import json
from typing import Any, Protocol

from model.errors import ProtocolError
from model.host.server import INSTALL_PYTHON3
from remote.probe.bundle import script

Message = dict[str, Any]
# A shell reports a signal as 128 and its number, SSH as -1.
SIGNALLED = 128
KILLED = "look for who kills it: memory, a security agent (`journalctl -b`), then run again"
NO_PYTHON = 127
TELL = "run verification again; look for out-of-memory kills or a supervisor on the host if it happens again"


class AgentStream(Protocol):
    """A process on a host: what is written reaches its standard input, lines come from its standard output."""

    def write(self, data: bytes) -> None:
        """Write all of it; raises TimeoutError when nobody reads, OSError or EOFError when the process is gone."""

    def read_line(self, timeout: float) -> bytes:
        """Return the next line; raises TimeoutError, or EOFError when the process is gone."""

    def complaint(self) -> str:
        """Return the last lines of its standard error."""

    def close(self) -> None:
        """End the process's standard input."""

    def exit_code(self, timeout: float) -> int | None:
        """Return the exit code, or None while the process lives."""


class Conversation:
    """
    Requests and answers with one agent; ProtocolError, naming host and role, as soon as and ever after it goes wrong.
    """

    def __init__(self, host: str, role: str, stream: AgentStream, life: int, *, installed: bool = False) -> None:
        self.host, self.role = host, role
        self._stream = stream
        self._failure: ProtocolError | None = None
        if not installed:
            self._write(script(role, life))

    def tell(self, message: Message) -> None:
        """Send a request."""
        self._write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def hear(self, timeout: float, *names: str) -> Message:
        """Return the agent's next message, which must have one of these keys, within `timeout` seconds."""
        try:
            line = self._stream.read_line(timeout)
        except TimeoutError:
            # TimeoutError is an OSError too: it comes first.
            raise self.error(f"gave no answer within {timeout:g} s", TELL) from None
        except (EOFError, OSError):
            raise self.ended() from None
        try:
            message = json.loads(line)
        except ValueError:
            raise self.error(f"answered {line[:80]!r}, which is not JSON") from None
        if isinstance(message, dict) and "error" in message:
            raise self.error(f"stopped: {message['error']}")
        if not isinstance(message, dict) or not any(name in message for name in names):
            raise self.error(f"answered {line[:80]!r}, expected {' or '.join(names)}")
        return message

    def close(self) -> None:
        """End the agent."""
        try:
            self._stream.close()
        except (EOFError, OSError):
            return

    def ended(self) -> ProtocolError:
        """Return the error of an agent that is gone."""
        try:
            code = self._stream.exit_code(1.0)
        except (EOFError, OSError, TimeoutError):
            code = None
        complaint = self._stream.complaint()
        # A shell says 127; sudo says 1, and why.
        if code == NO_PYTHON or ("python3" in complaint and "not found" in complaint):
            return self.error("could not start: python3 missing", INSTALL_PYTHON3)
        if code is not None and (code < 0 or code > SIGNALLED):
            return self.error(f"was killed by a signal (exit code {code})", KILLED)
        return self.error(f"ended too early (exit code {'unknown' if code is None else code}): {complaint}", TELL)

    def error(self, message: str, next_step: str = "") -> ProtocolError:
        """
        Return an error that names the host and the agent; it also ends the talk, whose answers no longer fit the
        requests.
        """
        self._failure = ProtocolError(self.host, f"the {self.role} agent {message}", next_step)
        return self._failure

    def _write(self, data: bytes) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            self._stream.write(data)
        except TimeoutError:
            raise self.error("does not read what is sent to it", TELL) from None
        except (EOFError, OSError):
            raise self.ended() from None
