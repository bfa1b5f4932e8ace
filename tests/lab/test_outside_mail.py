"""The gate of mail, with a real Synapse and the lab's relay: TLS, a login, and an authority that is no public one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.outside.authority import Authority
from lab.outside.relay import PROGRAM
from model.report.outcome import Status
from model.rollout.synapse.outward import email
from remote.gates import mail
from tests.lab.test_outside_programs import LOGIN, NAME, started
from tests.remote import homeserver
from tests.remote.conftest import free_port
from tests.remote.gates.conftest import world
from tests.remote.gates.test_mail_gate import PROBE, mailing, turned_on
from tests.remote.gates.world import World

__all__ = ["world"]


@dataclass(frozen=True)
class Relayed:
    """The relay's folder and port; `authority` vouches for it."""

    folder: Path
    port: int
    authority: Authority

    def mails(self) -> list[str]:
        return [path.read_text() for path in sorted((self.folder / "mailbox").glob("*.eml"))]


@pytest.fixture
def relay(tmp_path: Path, real_synapse: None) -> Iterator[Relayed]:
    folder, port = tmp_path / "relay", free_port()
    folder.mkdir()
    authority = Authority(folder)
    (folder / "certificate.pem").write_text(authority.issue(NAME))
    (folder / "login").write_text("\n".join((*LOGIN, "")))
    with started(folder, str(homeserver.PYTHON), str(PROGRAM), str(folder), str(port)):
        yield Relayed(folder, port, authority)


@contextmanager
def sending(world: World, relay: Relayed, folder: Path, trusted: str, password: str = LOGIN[1]) -> Iterator[None]:
    """Run the site's Synapse, which trusts whom the file `trusted` names."""
    world.pod("haproxy-a", "matrix", {"matrix-fleet.io/pod": "haproxy"}, "10.0.0.1")
    said: dict[str, object] = {"host": NAME, "port": relay.port, "tls": "starttls", "login": True}
    world.site = turned_on(world, probe=PROBE, **said)
    # Nobody resolves the relay's name here: it is compared with the certificate all the same.
    here = {"smtp_host": "127.0.0.1", "tlsname": NAME, "smtp_user": LOGIN[0], "smtp_pass": password}
    block = email(mailing(world.site.settings, **said))["email"] | here
    more = {"email": block, "public_baseurl": "https://matrix.example.test/"}
    environment = ("env", f"SSL_CERT_FILE={trusted}")
    with homeserver.running(folder / "synapse", port := free_port(), environment, more):
        world.ports["10.0.0.1", 8009] = port
        yield


def test_a_relay_of_the_organisations_authority_takes_a_mail_and_keeps_it(
    world: World, relay: Relayed, tmp_path: Path
) -> None:
    with sending(world, relay, tmp_path, str(relay.folder / "outside-ca.pem")):
        result = mail.run(world.context())
    assert (result.status, result.findings) == (Status.OK, ())
    (kept,) = relay.mails()
    assert kept.startswith(f"Return-Path: <matrix@example.test>\nDelivered-To: {PROBE}\n")


def test_a_relay_that_does_not_know_the_login_is_found(world: World, relay: Relayed, tmp_path: Path) -> None:
    with sending(world, relay, tmp_path, str(relay.folder / "outside-ca.pem"), "another"):
        result = mail.run(world.context())
    assert result.status == Status.DRIFT, result.why
    assert f"could not send a mail to {PROBE} by {NAME} port {relay.port}" in result.why
    assert relay.mails() == []


def test_a_relay_that_is_not_trusted_is_never_good_and_the_next_step_names_its_authority(
    world: World, relay: Relayed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Synapse waits without end for a connection whose encryption failed."""
    monkeypatch.setattr(mail, "_SECONDS", 5.0)
    with sending(world, relay, tmp_path, "/etc/ssl/certs/ca-certificates.crt"):
        result = mail.run(world.context())
    assert result.status == Status.FAILED, result.why
    assert "mail.ca" in result.next_step
    assert relay.mails() == []
