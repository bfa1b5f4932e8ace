"""What a login shell's start files print is no answer of a command, however the command is started."""

from __future__ import annotations

import pwd
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from nornir.core.inventory import Host

from flows._fleet.hosts import close
from flows._fleet.inventory import inventory
from model.errors import CommandFailed
from remote.channel import Preamble
from remote.collector.session import ask
from remote.command import open_channel, skip_start
from remote.facts.firewall import observe
from remote.probe import bundle
from remote.probe.session import WitnessSession
from remote.shell import run, session, start
from remote.sudo import elevate
from tests.remote.conftest import USER, serve
from tests.remote.sites import write_site


@pytest.fixture(scope="module")
def chatty(tmp_path_factory: pytest.TempPathFactory, login_key: Path) -> Iterator[Host]:
    """A host whose login shell greets everybody, on both streams."""
    folder = tmp_path_factory.mktemp("chatty")
    (folder / ".bashrc").write_text("echo hi; echo ho >&2; printf 'no end of a line'\n")
    server = serve(folder / "sshd", login_key, options=f"SetEnv HOME={folder}\n")
    site = write_site(tmp_path_factory.mktemp("site"), {"h-1": server.port}, {server.port: server.host_key}, login_key)
    nr = inventory(site)
    assert pwd.getpwnam(USER).pw_shell.endswith("bash"), "the test needs a login shell that greets"
    yield nr.inventory.hosts["h-1"]
    close(nr)
    server.process.kill()
    server.process.wait()


def test_both_streams_are_the_commands_own(chatty: Host) -> None:
    done = run(chatty, ("sh", "-c", "echo out; echo err >&2; cat; exit 7"), stdin=b"in")
    assert (done.stdout, done.stderr, done.exit_code) == (b"out\nin", b"err\n", 7)


def test_a_stream_begins_with_the_commands_first_line(chatty: Host) -> None:
    stream = start(chatty, ("cat",))
    stream.write(b"first\n")
    assert stream.read_line(5.0) == b"first"
    stream.close()


def test_agents_and_the_collector_are_understood(chatty: Host) -> None:
    agent = WitnessSession.open("h-1", start(chatty, bundle.argv("witness")))
    assert agent.ready.pid
    agent.close()
    assert ask(chatty, {"sections": ["release"]}).startswith(b"{")
    assert observe(chatty).python3


def test_a_relay_passes_no_byte_of_the_greeting_on(chatty: Host) -> None:
    channel = open_channel("h-1", session(chatty), 5.0)
    elevation = elevate(("sh", "-c", "echo first; echo second"), user=USER, root=False)
    channel.exec_command(elevation.line)
    skip_start(channel, elevation.starts, time.monotonic() + 5.0)
    told = b""
    while piece := channel.recv(1024):
        told += piece
    assert told == b"first\nsecond\n"


def test_a_shell_that_starts_nothing_is_told_in_its_words(chatty: Host) -> None:
    """As an account's `nologin` does, which ends with a good exit code where somebody wrote it so."""
    greeting = Path(run(chatty, ("printenv", "HOME")).stdout.decode().strip()) / ".bashrc"
    text = greeting.read_text()
    assert "echo hi" in text
    greeting.write_text("echo 'maintenance, come back later'; exit 0\n")
    try:
        with pytest.raises(CommandFailed, match="did not start it: maintenance, come back later") as caught:
            run(chatty, ("true",))
        with pytest.raises(CommandFailed, match="maintenance"):
            start(chatty, ("cat",))
    finally:
        greeting.write_text(text)
    assert "getent passwd" in caught.value.next_step


def test_what_comes_before_the_start_is_not_the_commands() -> None:
    preamble = Preamble(b"abc-starts")
    assert [preamble.own(part) for part in (b"hi from .bashrc\nabc", b"-sta", b"rtsown", b" abc-starts")] == [
        b"",
        b"",
        b"own",
        b" abc-starts",
    ]
    assert (bytes(preamble.text), preamble.over) == (b"hi from .bashrc\n", True)
    assert Preamble(b"").own(b"all") == b"all"
    chatty = Preamble(b"abc-starts")
    assert chatty.own(b"x" * 200_000) == b""
    assert chatty.own(b"abc-startsown") == b"own"
    assert len(chatty.text) < 100_000


def test_a_program_that_is_a_word_of_a_command_stands_in_no_message() -> None:
    error = CommandFailed("h-1", ("python3", "-c", "import sys\nprint(1)", "collector"), 1, "why")
    assert error.message == "`python3 -c ... collector` ended with exit code 1: why"
