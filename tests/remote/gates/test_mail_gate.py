"""Claims about the gate of mail, with a real Synapse and a mail server that takes or refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from model.report.outcome import Status
from model.rollout.synapse.outward import email
from model.site.outward import MailServer
from model.site.settings import Settings
from model.site.site import Site
from remote.gates import mail
from tests.mutation import loaded
from tests.remote import homeserver
from tests.remote.conftest import free_port
from tests.remote.gates.smtp_server import Sink, sinking
from tests.remote.gates.web import Reply, serving
from tests.remote.gates.world import World

PROBE = "sink@example.org"


def mailing(settings: Settings, **said: object) -> Settings:
    """Return settings of a site that sends mail."""
    features = settings.features.model_copy(update={"smtp": True})
    server = MailServer.model_validate({"host": "mail.example.test", "tls": "none", "login": False, **said})
    return settings.model_copy(update={"features": features, "mail": server})


def turned_on(world: World, **said: object) -> Site:
    return replace(world.site, settings=mailing(world.site.settings, **said))


@dataclass
class Mailing:
    """A Synapse's port, and the mail server that it is told of."""

    port: int
    sink: Sink


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, real_synapse: None) -> Iterator[Mailing]:

    with sinking() as sink:
        block = email(mailing(loaded().settings, port=sink.port))["email"]
        quick = {"per_second": 1000, "burst_count": 1000}
        more = {"email": block | {"smtp_host": "127.0.0.1"}, "rc_3pid_validation": quick}
        more["public_baseurl"] = "https://matrix.example.test/"
        with homeserver.running(tmp_path_factory.mktemp("mailing"), port := free_port(), more=more):
            yield Mailing(port, sink)


@pytest.fixture
def site(world: World) -> World:
    world.pod("haproxy-a", "matrix", {"matrix-fleet.io/pod": "haproxy"}, "10.0.0.1")
    world.site = turned_on(world, probe=PROBE)
    return world


@pytest.fixture
def mails(site: World, running: Mailing) -> Iterator[Sink]:
    """The mail server of a site whose Synapse runs."""
    site.ports["10.0.0.1", 8009] = running.port
    running.sink.taken.clear()
    yield running.sink
    running.sink.refusal = ""


@pytest.mark.machine
def test_a_mail_that_is_taken_is_good(site: World, mails: Sink) -> None:
    result = mail.run(site.context())
    assert (result.status, result.findings) == (Status.OK, ())
    assert "mail.example.test port 587 took a mail of Synapse's to sink@example.org" in result.why
    ((sender, recipient, text),) = mails.taken
    assert (sender, recipient) == ("matrix@example.test", PROBE)
    assert "Subject:" in text


@pytest.mark.machine
def test_a_mail_server_that_refuses_is_found(site: World, mails: Sink) -> None:
    mails.refusal = "550 nobody of that name"
    result = mail.run(site.context())
    assert result.status == Status.DRIFT
    assert "could not send a mail to sink@example.org by mail.example.test port 587: HTTP 500" in result.findings[0]
    assert mails.taken == []


@pytest.mark.parametrize(
    ("reply", "status", "says"),
    [
        (Reply(200, b"{}"), Status.DRIFT, "could not send a mail"),
        (Reply(404), Status.DRIFT, "HTTP 404"),
        (Reply(400, b'{"errcode": "M_THREEPID_MEDIUM_NOT_SUPPORTED", "error": "no"}'), Status.DRIFT, "NOT_SUPPORTED"),
        (Reply(400, b'{"errcode": "M_THREEPID_IN_USE"}'), Status.UNPROVEN, "belongs to an account"),
        (Reply(429, b'{"errcode": "M_LIMIT_EXCEEDED"}'), Status.UNPROVEN, "no further mail just now"),
    ],
)
def test_whatever_is_not_a_session_is_no_proof(site: World, reply: Reply, status: Status, says: str) -> None:
    with serving(lambda *_: reply) as port:
        site.ports["10.0.0.1", 8009] = port
        result = mail.run(site.context())
    assert result.status == status
    assert says in result.why


def test_a_synapse_that_does_not_answer_is_found(site: World) -> None:
    assert mail.run(site.context()).status == Status.FAILED


def test_without_an_address_nothing_is_proven(world: World) -> None:
    world.site = turned_on(world)
    result = mail.run(world.context())
    assert (result.status, result.next_step[:16]) == (Status.UNPROVEN, "write an address")


def test_a_site_without_mail_is_not_tried(world: World) -> None:
    assert mail.run(world.context()).status == Status.NOT_RUN
