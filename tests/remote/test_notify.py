"""Claims about telling somebody, tried with real programs, a real sendmail's interface and a real homeserver."""

from __future__ import annotations

import email
import json
import os
from collections.abc import Iterator
from email import policy
from pathlib import Path

import pytest

from model.errors import NotToldError
from model.site.schedule import TellCommand, TellMail, TellMatrix
from remote.notify import Message, read_token, tell
from tests.remote import homeserver
from tests.remote.authority import Authority
from tests.remote.conftest import free_port
from tests.remote.homeserver import Homeserver

MESSAGE = Message(
    "s: 1 new", "s: 1 new\n\nNEW  w-1 users/sudo: drift: Eve\n", {"site": "s", "new": [{"host": "w-1"}]}, "a" * 64
)
AUTHORITY = "authority/ca.crt"


def program(folder: Path, text: str) -> str:
    """Write a program and return its path."""
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)
    return str(path)


def test_a_command_gets_the_news_on_standard_input_and_nothing_in_its_arguments(tmp_path: Path) -> None:
    argv = (program(tmp_path, f'cat >{tmp_path}/in; echo "$#" "$@" >{tmp_path}/argv'), "--page")
    tell(TellCommand(kind="command", command=argv), MESSAGE, tmp_path)
    assert json.loads((tmp_path / "in").read_text()) == MESSAGE.data
    assert (tmp_path / "argv").read_text() == "1 --page\n"


def test_sudos_password_is_no_business_of_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATRIX_FLEET_SUDO_PASSWORD", "hunter2")
    tell(TellCommand(kind="command", command=(program(tmp_path, f"env >{tmp_path}/env"),)), MESSAGE, tmp_path)
    assert "hunter2" not in (tmp_path / "env").read_text()


@pytest.mark.parametrize(
    ("text", "says"),
    [("echo no pager >&2; exit 7", "exit code 7: no pager"), ("sleep 9", "did not end within 1 s")],
)
def test_a_command_that_fails_says_so(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(NotToldError, match=says):
        tell(TellCommand(kind="command", command=(program(tmp_path, text),), seconds=1), MESSAGE, tmp_path)


def test_a_command_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotToldError, match="cannot be started: No such file"):
        tell(TellCommand(kind="command", command=(f"{tmp_path}/nothing",)), MESSAGE, tmp_path)


def test_mail_goes_through_sendmail_with_its_receivers_behind_the_options(tmp_path: Path) -> None:
    path = program(tmp_path, f'cat >{tmp_path}/mail; echo "$@" >{tmp_path}/argv')
    way = TellMail(
        kind="mail", to=("ops@example.org", "-oQ/tmp@example.org"), sender="fleet@example.org", sendmail=path
    )
    tell(way, MESSAGE, tmp_path)
    assert (tmp_path / "argv").read_text() == "-i -f fleet@example.org -- ops@example.org -oQ/tmp@example.org\n"
    mail = email.message_from_bytes((tmp_path / "mail").read_bytes(), policy=policy.default)
    assert (mail["Subject"], mail["From"]) == ("s: 1 new", "fleet@example.org")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content() == MESSAGE.text


def test_a_mail_server_that_refuses_is_told_of(tmp_path: Path) -> None:
    path = program(tmp_path, "echo 'postdrop: queue file: Permission denied' >&2; exit 75")
    with pytest.raises(NotToldError, match="exit code 75: postdrop"):
        tell(TellMail(kind="mail", to=("ops@example.org",), sendmail=path), MESSAGE, tmp_path)


@pytest.fixture(scope="module")
def synapse(
    tmp_path_factory: pytest.TempPathFactory, real_machine: None, real_synapse: None
) -> Iterator[tuple[Homeserver, Path, int]]:
    """A server with a TLS port of an authority that the folder has, and the token of who tells in a file of it."""
    folder, port = tmp_path_factory.mktemp("site"), free_port()
    (folder / "authority").mkdir()
    authority = Authority(folder / "authority")
    certificate, key = authority.issue("server", "localhost", "localhost", "127.0.0.1")
    assert authority.path == folder / AUTHORITY
    listener = {
        "port": port,
        "bind_addresses": ["127.0.0.1"],
        "type": "http",
        "tls": True,
        "resources": [{"names": ["client"]}],
    }
    more = {"listeners": [listener], "tls_certificate_path": str(certificate), "tls_private_key_path": str(key)}
    with homeserver.running(folder / "synapse", free_port(), more=more) as server:
        put_token(folder / "token", server.token)
        yield server, folder, port


def put_token(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a token."""
    path.write_text(f"{text}\n", "ascii")
    path.chmod(mode)


def room(server: Homeserver, **others: str) -> TellMatrix:
    """Return the way to the server's room."""
    return TellMatrix.model_validate(
        {"kind": "matrix", "homeserver": server.url, "room": server.room, "token_file": "token", **others}
    )


def with_once(letter: str) -> Message:
    """Return the message with another mark of its own."""
    return Message(MESSAGE.subject, MESSAGE.text, MESSAGE.data, letter * 64)


def test_a_room_gets_the_news_once_however_often_they_are_sent(synapse: tuple[Homeserver, Path, int]) -> None:
    server, folder, _ = synapse
    before = server.messages()
    tell(room(server), with_once("b"), folder)
    tell(room(server), with_once("b"), folder)
    assert server.messages() == [*before, MESSAGE.text]
    tell(room(server), with_once("c"), folder)
    assert server.messages() == [*before, MESSAGE.text, MESSAGE.text]


def test_a_homeserver_is_known_by_its_authority(synapse: tuple[Homeserver, Path, int]) -> None:
    server, folder, port = synapse
    before = server.messages()
    with pytest.raises(NotToldError, match="certificate verify failed"):
        tell(room(server, homeserver=f"https://127.0.0.1:{port}"), with_once("d"), folder)
    tell(room(server, homeserver=f"https://127.0.0.1:{port}", authority=AUTHORITY), with_once("d"), folder)
    assert server.messages() == [*before, MESSAGE.text]


def test_more_than_an_event_may_have_is_cut_at_a_line(synapse: tuple[Homeserver, Path, int]) -> None:
    server, folder, _ = synapse
    lines = "".join(f"NEW  h-{number} \N{SNOWMAN} users/sudo: drift\n" for number in range(2000))
    tell(room(server), Message("s", lines, {}, "e" * 64), folder)
    last = server.messages()[-1]
    assert lines.startswith(last.rpartition("\n")[0])
    assert "more lines: see the report" in last.rpartition("\n")[2]


def test_a_token_that_the_homeserver_does_not_know_is_told_of_and_not_shown(
    synapse: tuple[Homeserver, Path, int],
) -> None:
    server, folder, _ = synapse
    put_token(folder / "wrong", "syt_not_a_token")
    with pytest.raises(NotToldError, match="401: M_UNKNOWN_TOKEN") as caught:
        tell(room(server, token_file="wrong"), with_once("f"), folder)
    assert "syt_not_a_token" not in str(caught.value)


def test_a_room_that_the_token_is_not_in_is_told_of(synapse: tuple[Homeserver, Path, int]) -> None:
    server, folder, _ = synapse
    with pytest.raises(NotToldError, match="403: M_FORBIDDEN"):
        tell(room(server, room="!elsewhere:news.test"), with_once("g"), folder)


def test_nobody_at_the_address_is_told_of(synapse: tuple[Homeserver, Path, int]) -> None:
    server, folder, _ = synapse
    with pytest.raises(NotToldError, match=r"gives no answer: .*refused"):
        tell(room(server, homeserver=f"http://127.0.0.1:{free_port()}"), MESSAGE, folder)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_token_that_others_may_read_is_not_used(tmp_path: Path, mode: int) -> None:
    put_token(tmp_path / "token", "syt_secret", mode)
    with pytest.raises(NotToldError, match="only its owner may read") as caught:
        read_token(tmp_path / "token")
    assert "syt_secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n", "two words", "a\nb", "\x07"])
def test_a_file_without_a_token_is_told_of(tmp_path: Path, text: str) -> None:
    put_token(tmp_path / "token", text)
    with pytest.raises(NotToldError, match="holds no access token"):
        read_token(tmp_path / "token")


def test_a_pipe_in_a_tokens_place_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token", 0o600)
    with pytest.raises(NotToldError, match="must be a file"):
        read_token(tmp_path / "token")
