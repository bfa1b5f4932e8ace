"""Becoming root: what is written to the login shell, and to whom the password goes."""

from __future__ import annotations

import os
import shlex
import threading
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from flows._run.sudo import take_password
from model.errors import CommandFailed, CommandTimeout, RootRefused, SiteError
from remote.command import begin, not_started, sudo_ran
from remote.sudo import ENVIRONMENT, PASSWORD, Holder, elevate

SECRET = SecretStr("hunter2 'x'")


class Buffer:
    """One direction of a channel."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.event = threading.Event()

    def set_event(self, event: threading.Event) -> None:
        self.event = event

    def feed(self, data: bytes) -> None:
        self.data += data
        self.event.set()

    def take(self) -> bytes:
        data = bytes(self.data)
        self.data.clear()
        self.event.clear()
        return data


class Sudo:
    """A channel whose far end is sudo: asks `questions` times, then starts the command or ends."""

    def __init__(self, questions: int, starts: bool = True, mute: bool = False) -> None:
        self.in_buffer, self.in_stderr_buffer = Buffer(), Buffer()
        self.questions, self.starts, self.mute = questions, starts, mute
        self.written = b""
        self.line = ""
        self.eof_received = False
        self.closed = False
        self.status_event = threading.Event()
        self.exit_status = 1

    def exec_command(self, line: str) -> None:
        self.line = line
        self.asks = next((word for word in shlex.split(line) if word.endswith("-asks")), "").encode()
        self.in_stderr_buffer.feed(b"We trust you have received the usual lecture.\n")
        self._next()

    def _next(self) -> None:
        if self.mute:
            return
        if self.questions:
            self.questions -= 1
            self.in_stderr_buffer.feed(self.asks)
        elif self.starts:
            self.in_stderr_buffer.feed(self.asks.replace(b"-asks", b"-starts"))
        else:
            self.in_stderr_buffer.feed(b"deploy is not in the sudoers file.\n")
            self.status_event.set()
            self.eof_received = True

    def sendall(self, data: bytes) -> None:
        self.written += data
        self._next()

    def recv_ready(self) -> bool:
        return bool(self.in_buffer.data)

    def recv_stderr_ready(self) -> bool:
        return bool(self.in_stderr_buffer.data)

    def recv(self, _count: int) -> bytes:
        return self.in_buffer.take()

    def recv_stderr(self, _count: int) -> bytes:
        return self.in_stderr_buffer.take()

    def close(self) -> None:
        self.closed = True


def converse(channel: Sudo, seconds: float = 5.0) -> bytes:
    """Start a command over the channel; return what is left of its standard error."""
    elevation = elevate(("id", "-u"), user="deploy", root=True, password=SECRET)
    pipe = begin("h-1", channel, ("id", "-u"), elevation, time.monotonic() + seconds)  # type: ignore[arg-type]
    return bytes(pipe.err)


def test_root_needs_no_sudo() -> None:
    assert "sudo" not in elevate(("id",), user="root", root=True, password=SECRET).line


def test_without_a_password_sudo_never_asks() -> None:
    words = shlex.split(elevate(("id", "a b"), user="deploy", root=True).line)
    assert words[words.index("sudo") :][:4] == ["sudo", "-n", "--", "sh"]
    assert words[-3:] == ["sh", "id", "a b"]


def test_a_key_that_starts_nothing_but_programs_gets_them_as_they_are() -> None:
    elevation = elevate(("/opt/program",), user="looker", root=True, lies_there=True)
    assert shlex.split(elevation.line)[-4:] == ["sudo", "-n", "--", "/opt/program"]
    assert elevation.starts == b""


def test_who_does_not_ask_for_root_does_not_get_it() -> None:
    assert "sudo" not in elevate(("id",), user="deploy", root=False, password=SECRET).line


def test_the_password_is_in_no_line_and_no_text() -> None:
    elevation = elevate(("id",), user="deploy", root=True, password=SECRET)
    assert "hunter2" not in elevation.line + repr(elevation)


def test_the_password_goes_to_sudo_when_it_asks() -> None:
    channel = Sudo(questions=1)
    assert converse(channel) == b""
    assert channel.written == b"hunter2 'x'\n"
    assert "hunter2" not in channel.line


def test_the_password_never_goes_to_a_command_that_needs_none() -> None:
    channel = Sudo(questions=0)
    assert converse(channel) == b""
    assert channel.written == b""


def test_a_refused_password_is_sent_once_only() -> None:
    channel = Sudo(questions=2)
    with pytest.raises(CommandFailed, match="sudo refuses the password") as caught:
        converse(channel)
    assert channel.written == b"hunter2 'x'\n"
    assert channel.closed
    assert "hunter2" not in str(caught.value)


def test_a_user_who_may_not_is_told_in_sudos_words() -> None:
    with pytest.raises(CommandFailed, match="not in the sudoers file"):
        converse(Sudo(questions=1, starts=False))


def test_a_silent_sudo_is_bounded() -> None:
    began = time.monotonic()
    with pytest.raises(CommandTimeout):
        converse(Sudo(questions=0, mute=True), 0.3)
    assert time.monotonic() - began < 2


def test_sudos_own_failure_is_not_the_commands_exit_code() -> None:
    with pytest.raises(CommandFailed, match="a password is required") as caught:
        sudo_ran("h-1", ("ufw", "status"), 1, b"sudo: a password is required\n")
    assert ENVIRONMENT in caught.value.next_step
    with pytest.raises(CommandFailed, match="sudo"):
        sudo_ran("h-1", ("ufw", "status"), 127, b"env: 'sudo': No such file or directory\n")
    unresolved = b"sudo: unable to resolve host h-1: Name or service not known\n"
    sudo_ran("h-1", ("false",), 1, unresolved)
    with pytest.raises(RootRefused, match="a password is required"):
        sudo_ran("h-1", ("true",), 1, unresolved + b"sudo: a password is required\n")
    sudo_ran("h-1", ("diff", "a", "b"), 1, b"")
    sudo_ran("h-1", ("false",), 1, b"sudoku: no\n")


@pytest.mark.parametrize(
    ("user", "code", "words", "kind", "step"),
    [
        ("deploy", 1, b"sudo: a password is required\n", RootRefused, ENVIRONMENT),
        ("deploy", 1, b"deploy is not in the sudoers file.\n", RootRefused, ENVIRONMENT),
        ("deploy", 127, b"env: 'sudo': No such file or directory\n", RootRefused, "install sudo"),
        ("root", 1, b"This account is currently not available.\n", CommandFailed, "getent passwd"),
    ],
)
def test_a_command_that_was_not_started_is_told_in_the_words_of_who_refused(
    user: str, code: int, words: bytes, kind: type[CommandFailed], step: str
) -> None:
    elevation = elevate(("ufw", "status"), user=user, root=True)
    error = not_started("h-1", ("ufw", "status"), elevation, code, words)
    assert (type(error), words.decode().strip() in error.message, step in error.next_step) == (kind, True, True)


def test_the_holder_prefers_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = Holder()
    assert holder.get() is None
    monkeypatch.setenv(ENVIRONMENT, "from the environment")
    password = holder.get()
    assert password is not None
    assert password.get_secret_value() == "from the environment"
    holder.put("given")
    password = holder.get()
    assert password is not None
    assert password.get_secret_value() == "given"
    assert "given" not in repr(password) + str(password)


@pytest.fixture
def empty_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr(PASSWORD, "_password", None)


def test_a_descriptor_gives_its_first_line(empty_holder: None) -> None:
    reading, writing = os.pipe()
    os.write(writing, "pässword\nmore\n".encode())
    os.close(writing)
    take_password(False, reading)
    password = PASSWORD.get()
    assert password is not None
    assert password.get_secret_value() == "pässword"


@pytest.mark.parametrize(("ask", "descriptor"), [(True, 3), (False, 987), (True, None)])
def test_a_password_that_cannot_be_had_is_an_error_of_the_arguments(
    empty_holder: None, ask: bool, descriptor: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        with pytest.raises(SiteError, match="sudo-password"):
            take_password(ask, descriptor)
