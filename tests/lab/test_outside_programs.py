"""The programs outside, as they run on the vantage host, with the Synapse that the tests have."""

from __future__ import annotations

import json
import os
import smtplib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.outside.authority import Authority
from lab.outside.homeserver import settings
from lab.outside.relay import PROGRAM
from model import document
from tests.remote.conftest import free_port
from tests.remote.homeserver import PYTHON, Homeserver

NAME, LOGIN = "smtp.example.test", ("matrix", "secret")
MAIL = "Subject: a trial\n\nIt arrived.\n"


@contextmanager
def started(folder: Path, *argv: str) -> Iterator[int]:
    """Run a program until the block ends, once it has told systemd that it is ready."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices, (folder / "output").open("wb") as output:
        notices.bind(str(folder / "notices"))
        notices.settimeout(120)
        environment = {**os.environ, "NOTIFY_SOCKET": str(folder / "notices")}
        process = subprocess.Popen(argv, cwd=folder, env=environment, stdout=output, stderr=output)
        try:
            assert b"READY=1" in notices.recv(4096), (folder / "output").read_text()
            yield process.pid
        finally:
            process.kill()
            process.wait(20)


@dataclass(frozen=True)
class Relay:
    """The mail relay of a folder."""

    folder: Path
    port: int
    trusted: ssl.SSLContext

    @contextmanager
    def connected(self, host: str = "127.0.0.1", *, encrypted: bool = True) -> Iterator[smtplib.SMTP]:
        with smtplib.SMTP(host, self.port, timeout=20) as client:
            client._host = NAME  # type: ignore[attr-defined] # the name that its certificate is compared with
            if encrypted:
                client.starttls(context=self.trusted)
            yield client

    def mails(self) -> list[str]:
        return [path.read_text() for path in sorted((self.folder / "mailbox").glob("*.eml"))]


@pytest.fixture
def relay(tmp_path: Path, real_synapse: None) -> Iterator[Relay]:
    authority, port = Authority(tmp_path), free_port()
    (tmp_path / "certificate.pem").write_text(authority.issue(NAME))
    (tmp_path / "login").write_text("\n".join((*LOGIN, "")))
    with started(tmp_path, str(PYTHON), str(PROGRAM), str(tmp_path), str(port)):
        yield Relay(tmp_path, port, ssl.create_default_context(cadata=authority.certificate))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_mail_of_who_logged_in_is_kept_with_who_it_is_for(relay: Relay, host: str) -> None:
    with relay.connected(host) as client:
        client.login(*LOGIN)
        client.sendmail("matrix@example.test", ["probe@example.test"], MAIL)
    (mail,) = relay.mails()
    assert mail.startswith("Return-Path: <matrix@example.test>\nDelivered-To: probe@example.test\nReceived: ")
    assert mail.endswith("Subject: a trial\n\nIt arrived.\n")


def test_nothing_is_taken_of_who_did_not_log_in(relay: Relay) -> None:
    with relay.connected() as client, pytest.raises(smtplib.SMTPSenderRefused, match="Unauthenticated"):
        client.sendmail("matrix@example.test", ["probe@example.test"], MAIL)
    with relay.connected() as client, pytest.raises(smtplib.SMTPAuthenticationError, match="535"):
        client.login("matrix", "another")
    assert relay.mails() == []


def test_no_login_is_taken_in_clear(relay: Relay) -> None:
    with relay.connected(encrypted=False) as client:
        client.ehlo()
        assert (client.has_extn("starttls"), client.has_extn("auth")) == (True, False)
        assert client.docmd("AUTH PLAIN AG1hdHJpeABzZWNyZXQ=")[0] == 530


@pytest.mark.parametrize(
    ("file", "refusal"),
    [("refuse-recipients", smtplib.SMTPRecipientsRefused), ("refuse-messages", smtplib.SMTPDataError)],
)
def test_it_refuses_while_it_is_told_to(relay: Relay, file: str, refusal: type[Exception]) -> None:
    (relay.folder / file).touch()
    with relay.connected() as client:
        client.login(*LOGIN)
        with pytest.raises(refusal, match="550"):
            client.sendmail("matrix@example.test", ["probe@example.test"], MAIL)
        assert relay.mails() == []
        (relay.folder / file).unlink()
        client.rset()
        client.sendmail("matrix@example.test", ["probe@example.test"], MAIL)
    assert len(relay.mails()) == 1


def test_a_mail_that_is_too_long_is_refused_and_the_next_one_is_taken(relay: Relay) -> None:
    with relay.connected() as client:
        client.login(*LOGIN)
        with pytest.raises(smtplib.SMTPDataError, match="550"):
            client.sendmail("matrix@example.test", ["probe@example.test"], f"{'x' * 990}\n" * 5000)
        client.rset()
        client.sendmail("matrix@example.test", ["probe@example.test"], MAIL)
    (mail,) = relay.mails()
    assert "It arrived." in mail


_ASK = """
import http.client, json, ssl, sys
port, path, authority = sys.argv[1:]
trusted = ssl.create_default_context(cafile=authority)
class Named(http.client.HTTPSConnection):
    def connect(self):
        http.client.HTTPConnection.connect(self)
        self.sock = trusted.wrap_socket(self.sock, server_hostname="partner.test")
found = []
for address in ("127.0.0.1", "::1"):
    connection = Named(address, int(port), timeout=20)
    connection.request("GET", path)
    found.append(json.loads(connection.getresponse().read()))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def partner(tmp_path_factory: pytest.TempPathFactory, real_synapse: None, real_machine: None) -> Iterator[Homeserver]:
    """The other homeserver in a network of its own, where its ports are free."""
    folder = tmp_path_factory.mktemp("partner")
    authority = Authority(folder)
    (folder / "certificate.pem").write_text(authority.issue("partner.test"))
    (folder / "conf.d").mkdir()
    config = settings("example.test", ("outside-ca.pem",), str(folder))
    (folder / "conf.d/homeserver.yaml").write_text(document.dump(config))
    alone = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
    program = (str(PYTHON), "-m", "synapse.app.homeserver", "--config-path", str(folder / "conf.d"))
    with started(folder, *alone, *program) as process:
        inside = ("nsenter", f"--net=/proc/{process}/ns/net", "--")
        yield Homeserver("http://127.0.0.1:8008", (*inside, "env", f"AUTHORITY={folder / 'outside-ca.pem'}"))


def asked(partner: Homeserver, port: int, path: str) -> list[dict[str, object]]:
    """Return what it answers as others ask it, over both families."""
    *prefix, authority = partner.prefix
    argv = (*prefix, authority, sys.executable, "-c", _ASK, str(port), path, authority.partition("=")[2])
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_others_find_it_by_its_name_and_its_key(partner: Homeserver) -> None:
    assert asked(partner, 443, "/.well-known/matrix/server") == [{"m.server": "partner.test:443"}] * 2
    for port in (443, 8448):
        assert [answer["server_name"] for answer in asked(partner, port, "/_matrix/key/v2/server")] == [
            "partner.test"
        ] * 2


def test_it_has_accounts_for_the_asking(partner: Homeserver) -> None:
    body = {"username": "somebody", "password": "long enough", "auth": {"type": "m.login.dummy"}}
    made = partner.call("POST", "/_matrix/client/v3/register", body)
    assert made["user_id"] == "@somebody:partner.test"
