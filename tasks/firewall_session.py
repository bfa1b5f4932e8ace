"""One session that works on a host's firewall: locked, watched by a rollback, one shell over one channel."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, Literal

from model.checkout import HOST_SCRIPTS
from model.errors import CommandFailed, CommandTimeout, HostError, LockHeld, ProtocolError, Unreachable
from model.ufw.facts import FirewallFacts
from remote.facts import firewall as facts_of
from remote.facts import next_boot
from remote.facts.sections import new_mark, sections

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from remote.shell import CommandStream

TEMPLATES = HOST_SCRIPTS
SECONDS = 30.0
INSTALL_SECONDS = 300.0
LONGEST_ANSWER = 1 << 26
NOTHING_KEPT = "nothing was ever changed here, so there is nothing to bring back"
UNFINISHED = (
    "put right what /var/lib/matrix-fleet/fired/log there names (`journalctl -t matrix-fleet-rollback` has it, too), "
    "then run again, which tries again; to give that state up, remove the folder fired"
)
_END_SECONDS = 2.0
_HELD = 75
_CUT_SHORT = 76


class FirewallSession:
    """
    The host's lock and the functions of `templates/host/ufw-session.sh`, for as long as the channel is open.

    Commands raise `CommandFailed`, `CommandTimeout`, and `Unreachable` where the session has ended.
    """

    def __init__(self, host: str, stream: CommandStream, who: str) -> None:
        """
        Take the lock and finish a rollback that an earlier session left armed.

        Raises `LockHeld` naming the holder, `CommandFailed` where a rollback of before could not be finished.
        """
        self.host = host
        # What becomes of a change when the session ends now: nothing, taken back, or one of both.
        self.unconfirmed: Literal["", "armed", "confirming"] = ""
        self._stream = stream
        self._mark = new_mark()
        self._say(f"{functions()}\nmf_begin\n")
        locked = f"mf_lock {shlex.quote(who)} && {{ mf_settle 1>&2 || (exit {_CUT_SHORT}); }}"
        code, answer = self._ask(locked, SECONDS)
        if code == _HELD:
            raise LockHeld(f"{host}: another run works on its firewall: {answer.strip()}; wait for it or end it")
        if code == _CUT_SHORT:
            raise CommandFailed(
                host,
                ("matrix-fleet-rollback",),
                code,
                f"a rollback could not be finished: {self._stream.complaint()}",
                UNFINISHED,
            )
        if code:
            raise CommandFailed(host, ("mf_lock",), code, self._stream.complaint(), "is util-linux installed?")

    def facts(self) -> FirewallFacts:
        """Look at the host again."""
        mark = new_mark()
        answer = self.call(f"mf_facts {mark} boot", timeout=SECONDS + next_boot.SECONDS)
        return facts_of.parse(self.host, mark, answer.encode("utf-8", "surrogateescape"), boot=True)

    def last(self) -> Mapping[str, str]:
        """
        Return what was before the last confirmed change, by section; raises `CommandFailed` where nothing is kept.
        """
        mark = new_mark()
        answer = self.call(f"mf_last {mark}", NOTHING_KEPT)
        return sections(mark, answer)

    def put(self, texts: Mapping[str, str]) -> None:
        """Lay texts into the session's working folder on the host, by name, byte for byte."""
        for name, text in texts.items():
            end = f"{self._mark}-end"
            coded = base64.encodebytes(text.encode("utf-8", "surrogateescape")).decode("ascii")
            self._say(f"base64 -d >\"$mf_work\"/{shlex.quote(name)} <<'{end}'\n{coded}{end}\n")

    def call(self, command: str, next_step: str = "", timeout: float = SECONDS) -> str:
        """
        Run functions of the session (`command` is shell text of this project, never data); return what they print.

        All of the answer must be there within `timeout` seconds, and be no longer than `LONGEST_ANSWER` bytes.
        """
        code, answer = self._ask(command, timeout)
        if code:
            raise CommandFailed(self.host, (command,), code, self._stream.complaint(), next_step)
        return answer

    def end(self) -> None:
        """Ask the session to end and to let the lock go; `close` waits for it."""
        with suppress(EOFError, TimeoutError, OSError):
            self._stream.end_input()

    def close(self) -> None:
        """Wait a moment for the session's end. A rollback that is armed stays so and fires by itself."""
        with suppress(EOFError, TimeoutError, OSError):
            self._stream.exit_code(_END_SECONDS)
        self._stream.close()

    def _ask(self, command: str, timeout: float) -> tuple[int, str]:
        self._say(f"{command}\nprintf '\\n%s %s\\n' {self._mark} $?\n")
        deadline = monotonic() + timeout
        lines: list[bytes] = []
        size = 0
        mark = self._mark.encode() + b" "
        try:
            while not (line := self._stream.read_line(max(0.0, deadline - monotonic()))).startswith(mark):
                lines.append(line)
                size += len(line) + 1
                if size > LONGEST_ANSWER or monotonic() > deadline:
                    raise self._endless(command, timeout, size)
        except TimeoutError:
            raise CommandTimeout(self.host, (command,), timeout) from None
        except EOFError as error:
            raise Unreachable(self.host, f"the firewall session ended: {error}", "look at the host") from None
        text = b"\n".join(lines).decode("utf-8", "surrogateescape")
        return int(line.split()[1]), text

    def _endless(self, command: str, timeout: float, size: int) -> HostError:
        """Return what an answer without an end is: too long, or too late."""
        if size > LONGEST_ANSWER:
            return ProtocolError(self.host, f"`{command}` answers more than {LONGEST_ANSWER} bytes", "look at the host")
        return CommandTimeout(self.host, (command,), timeout)

    def _say(self, text: str) -> None:
        try:
            self._stream.write(text.encode("utf-8", "surrogateescape"))
        except (EOFError, TimeoutError) as error:
            raise Unreachable(self.host, f"the firewall session ended: {error}", "look at the host") from None


def open_session(host: Host, who: str) -> FirewallSession:
    """Open a session as root; `who` is what another run reads that finds the host locked."""
    from remote.shell import start

    stream = start(host, ("sh", "-s"), root=True)
    try:
        return FirewallSession(host.name, stream, who)
    except BaseException:
        stream.close()
        raise


@cache
def _read(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8")


def functions() -> str:
    """Return the shell functions of a session; defining them does nothing yet."""
    return f"{facts_of.text()}\n{_kernel()}\n{_read('ufw-session.sh')}"


def _kernel() -> str:
    return f"{_read('ufw-kernel.sh')}\n{_read('ufw-others.sh')}"


def rollback_parts() -> Mapping[str, str]:
    """Return the rollback's script and units under the names that `mf_arm` looks for."""
    return {
        "rollback.sh": _read("ufw-rollback.sh"),
        "kernel.sh": _kernel(),
        "service": _read("ufw-rollback.service"),
        "timer": _read("ufw-rollback.timer"),
    }
