"""After a rotation the new value is accepted and the former one refused; whoever does otherwise is found."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from model.report.outcome import Status
from model.rollout.secret_kinds import generated, verify_key
from model.site.secrets import KeySpec
from remote.gates.gate import GateResult
from remote.gates.refusal import tried
from tests.remote.conftest import fake_server  # noqa: F401 - a fixture
from tests.remote.gates.redis_server import SmallRedis
from tests.remote.gates.s3_server import SmallS3, serving
from tests.remote.gates.world import World

Serve = Callable[[Callable[[socket.socket], None]], int]
POD = "matrix-fleet.io/pod"
NEW, FORMER = {"password": b"newest"}, {"password": b"former"}


@pytest.mark.parametrize(("name", "port"), [("redis", 6379), ("redis-sentinel", 26379)])
def test_a_server_of_redis_takes_the_new_password_alone(
    world: World,
    fake_server: Serve,  # noqa: F811
    name: str,
    port: int,
) -> None:
    server = SmallRedis("newest")
    world.pod(f"{name}-0", "matrix", {POD: name}, "10.0.0.1")
    world.ports["10.0.0.1", port] = fake_server(server.treat)
    assert tried(world.context(), name, NEW, FORMER).status is Status.OK
    server.password = "former"
    wrong = tried(world.context(), name, NEW, FORMER)
    assert wrong.status is Status.DRIFT
    assert [finding.partition(": ")[2] for finding in wrong.findings] == [
        "refuses the new value",
        "accepts the former value still",
    ]


def test_a_server_that_is_away_is_not_taken_for_one_that_refuses(world: World) -> None:
    world.pod("redis-0", "matrix", {POD: "redis"}, "10.0.0.1")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        world.ports["10.0.0.1", 6379] = closed.getsockname()[1]
        (finding,) = tried(world.context(), "redis", NEW, FORMER).findings
    assert "does not answer" in finding


@pytest.mark.parametrize("name", ["redis", "redis-sentinel", "postgresql-synapse"])
def test_where_nobody_is_there_to_be_asked_nothing_is_proven(world: World, name: str) -> None:
    world.secrets["postgresql-synapse", "username"] = b"synapse"
    result = tried(world.context(), name, NEW, FORMER)
    assert (result.status, result.why) == (Status.UNPROVEN, "nobody is there to be asked")


@pytest.fixture
def database(world: World) -> list[str]:
    """What psql is told; the list's first word is the password that counts."""
    told = ["newest"]
    world.secrets["postgresql-synapse", "username"] = b"synapse"
    world.pod("postgresql-1", "matrix", {"cnpg.io/cluster": "postgresql"}, "10.0.0.1", container="postgres")

    def ran(argv: Sequence[str], stdin: bytes) -> str:
        assert not any("newest" in word or "former" in word for word in argv)
        told.append(stdin.decode())
        if f'password={told[0]}"' in told[-1]:
            return 'You are now connected to database "synapse" as user "synapse".\nsynapse\n'
        reason = told[0] if told[0].startswith("the database") else 'password authentication failed for user "synapse"'
        return f'!psql:<stdin>:1: error: connection to server at "localhost" failed: FATAL:  {reason}'

    world.ran = ran
    return told


def test_the_database_takes_the_new_password_alone_and_no_argument_holds_one(world: World, database: list[str]) -> None:
    assert tried(world.context(), "postgresql-synapse", NEW, FORMER).status is Status.OK
    assert "host=localhost" in database[1]
    database[0] = "former"
    assert len(tried(world.context(), "postgresql-synapse", NEW, FORMER).findings) == 2
    database[0] = "the database system is starting up"
    (finding,) = tried(world.context(), "postgresql-synapse", NEW, FORMER).findings
    assert finding.endswith("does not answer: FATAL:  the database system is starting up")


@pytest.fixture
def storage(world: World) -> Iterator[SmallS3]:
    with serving() as found:
        world.pod("synapse-media-0", "matrix", {"app.kubernetes.io/name": "synapse-media"}, "10.0.0.1")
        world.single["/api/v1/namespaces/matrix/services/s3"] = {"spec": {"clusterIP": "10.96.0.9"}}
        world.ports["10.96.0.9", 9000] = found.port
        yield found


def test_the_object_storage_takes_the_new_pair_alone(world: World, storage: SmallS3) -> None:
    new = {"access_key": b"synapse", "secret_key": b"of the new one"}
    former = {"access_key": b"replaced", "secret_key": b"of the former one"}
    assert tried(world.context(), "s3-synapse", new, former).status is Status.OK
    storage.everybody = True
    (finding,) = tried(world.context(), "s3-synapse", new, former).findings
    assert finding == "the object storage: accepts the former value still"
    storage.everybody, storage.access = False, "nobody"
    (finding,) = tried(world.context(), "s3-synapse", new, former).findings
    assert finding == "the object storage: refuses the new value"


class SmallSynapse:
    """Answers one request a connection, as Synapse does whose secrets are `right`."""

    def __init__(self, right: dict[str, bytes]) -> None:
        self.right, self.status, self.asked = right, 0, list[str]()
        self.keys: dict[str, object] = {}

    def treat(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        while head := stream.readline().decode():
            headers = dict(self._headers(stream))
            body = stream.read(int(headers.get("content-length", "0")))
            status, document = self._answered(head.split()[0], head.split()[1], headers, body)
            content = json.dumps(document).encode()
            said = f"HTTP/1.1 {status} x\r\nContent-Length: {len(content)}\r\n\r\n".encode()
            connection.sendall(said + content)

    @staticmethod
    def _headers(stream: object) -> Iterator[tuple[str, str]]:
        while line := stream.readline().decode().strip():  # type: ignore[attr-defined]
            name, _, value = line.partition(": ")
            yield name.lower(), value

    def _answered(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, object]:
        self.asked.append(f"{method} {path}")
        if self.status:
            return self.status, {}
        if path.startswith("/_matrix/key/"):
            return 200, self.keys
        if path.startswith("/_synapse/replication/"):
            wanted = f"Bearer {self.right['worker_replication_secret'].decode()}"
            return (400 if headers["authorization"] == wanted else 500), {"errcode": "M_UNKNOWN"}
        if method == "GET":
            return 200, {"nonce": "once"}
        said = json.loads(body)
        words = b"\0".join(said[word].encode() for word in ("nonce", "username", "password")) + b"\0notadmin"
        mac = hmac.new(self.right["registration_shared_secret"], words, hashlib.sha1).hexdigest()
        return (400 if said["mac"] == mac else 403), {}


@pytest.fixture
def synapse(world: World, fake_server: Serve) -> SmallSynapse:  # noqa: F811
    found = SmallSynapse({"registration_shared_secret": b"newest", "worker_replication_secret": b"newest"})
    world.pod("synapse-main-0", "matrix", {POD: "synapse"}, "10.0.0.1")
    for port in (8008, 9093):
        world.ports["10.0.0.1", port] = fake_server(found.treat)
    return found


@pytest.mark.parametrize("key", ["registration_shared_secret", "worker_replication_secret"])
def test_synapse_takes_the_new_secret_alone_and_nobody_is_registered(
    world: World, synapse: SmallSynapse, key: str
) -> None:
    def heard() -> GateResult:
        return tried(world.context(), "synapse", {key: b"newest"}, {key: b"former"})

    assert heard().status is Status.OK
    synapse.right[key] = b"former"
    assert len(heard().findings) == 2
    synapse.status = 502
    (finding,) = heard().findings
    assert finding.endswith("does not answer: HTTP 502")


def test_what_takes_more_than_a_question_is_said_to_be_untried(world: World) -> None:
    result = tried(world.context(), "synapse", {"form_secret": b"newest"}, {"form_secret": b"former"})
    assert (result.status, result.why) == (Status.NOT_RUN, "nobody tried whether the former value is refused")


def test_both_signing_keys_are_published(world: World, synapse: SmallSynapse) -> None:
    keys = [generated(KeySpec(kind="signing-key"), os.urandom) for _ in range(2)]
    new, former = ({"signing.key": key} for key in keys)
    assert tried(world.context(), "synapse-signing-key", new, former).status is Status.NOT_RUN
    settings = world.site.settings.model_copy(update={"federation": True})
    world.site = replace(world.site, settings=settings)
    synapse.keys = {"verify_keys": {verify_key(keys[0])[0]: {}}, "old_verify_keys": {verify_key(keys[1])[0]: {}}}
    assert tried(world.context(), "synapse-signing-key", new, former).status is Status.OK
    synapse.keys = {"verify_keys": {verify_key(keys[1])[0]: {}}}
    assert len(tried(world.context(), "synapse-signing-key", new, former).findings) == 2
