"""A session says who holds a host, what failed there, and never mistakes silence for success."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from model.errors import CommandFailed, CommandTimeout, LockHeld, ProtocolError, Unreachable
from tasks.firewall_session import FirewallSession
from tests.tasks.scripted import Script


def _session(script: Script) -> FirewallSession:
    return FirewallSession("db-1", script, "me, process 7, it's late")


def test_a_held_lock_names_its_holder() -> None:
    with pytest.raises(LockHeld, match=r"db-1: .*somebody, since noon"):
        _session(Script({"mf_lock": (75, "somebody, since noon")}))


def test_a_rollback_that_cannot_be_finished_stops_everything() -> None:
    with pytest.raises(CommandFailed, match="could not be finished: it complains") as raised:
        _session(Script({"mf_lock": (76, "")}))
    assert "/var/lib/matrix-fleet/fired/log" in raised.value.next_step
    assert "journalctl -t matrix-fleet-rollback" in raised.value.next_step


def test_who_holds_it_is_quoted() -> None:
    script = Script()
    _session(script)
    assert """mf_lock 'me, process 7, it'"'"'s late'""" in script.asked[0]


def test_a_failed_command_tells_what_the_host_said() -> None:
    session = _session(Script({"mf_test": (1, "")}))
    with pytest.raises(CommandFailed, match="it complains"):
        session.call("mf_test")


def test_a_lost_connection_is_no_success() -> None:
    session = _session(Script(dies_at="mf_kernel"))
    with pytest.raises(Unreachable):
        session.call("mf_kernel")


def test_a_host_that_says_nothing_is_a_timeout() -> None:
    session = _session(Script(hangs_at="mf_kernel"))
    with pytest.raises(CommandTimeout):
        session.call("mf_kernel", timeout=0.1)


class Trickle(Script):
    """A host that goes on saying a line now and then, as long as it is heard."""

    line = b"still busy"

    def read_line(self, timeout: float) -> bytes:
        if self.asked and "mf_facts" in self.asked[-1]:
            time.sleep(min(0.01, timeout))
            return self.line
        return super().read_line(timeout)


def test_a_host_that_never_stops_talking_is_a_timeout() -> None:
    session, began = _session(Trickle()), time.monotonic()
    with pytest.raises(CommandTimeout):
        session.call("mf_facts x", timeout=0.2)
    assert time.monotonic() - began < 5


def test_an_answer_without_bounds_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.firewall_session.LONGEST_ANSWER", 100)
    with pytest.raises(ProtocolError, match="more than 100 bytes"):
        _session(Trickle()).call("mf_facts x", timeout=10)


@pytest.mark.parametrize(
    "text",
    [
        b"$HOME `id` \\ 'x'\n",
        b"no newline at its end",
        b"",
        b"\n\n",
        bytes(range(1, 256)),
        b"a line\r\nand NUL \0" * 9000,
    ],
)
def test_a_text_is_laid_down_byte_for_byte(text: bytes, tmp_path: Path) -> None:
    script = Script()
    session = _session(script)
    script.written.clear()
    session.put({"rules": text.decode("utf-8", "surrogateescape"), "next": "kept\n"})
    subprocess.run(("sh", "-s"), input=bytes(script.written), env={**os.environ, "mf_work": str(tmp_path)}, check=True)
    assert (tmp_path / "rules").read_bytes() == text
    assert (tmp_path / "next").read_bytes() == b"kept\n"


def test_an_answer_is_returned_whole() -> None:
    assert _session(Script({"mf_facts": (0, "one\n\ntwo")})).call("mf_facts x") == "one\n\ntwo"
