"""Claims about the gate of federation: two real homeservers, and one that answers as a test says."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from apps.message_probe.wire import Origin, dial_to
from model.report.outcome import Status
from model.rollout.secret_kinds import verify_key
from model.site.outward import FederationPartners
from remote.gates import federation
from remote.gates.federation import partner_wrongs, seen_from, signed, unpadded
from remote.gates.public import TLS_SECRET, Way
from tests.apps.proxy import Passing, Proxy, proxied
from tests.remote import homeserver
from tests.remote.authority import Authority
from tests.remote.conftest import free_port
from tests.remote.gates.web import Reply, serving
from tests.remote.gates.world import World

DOMAIN, OTHER = "example.test", "other.test"
SEED = f"ed25519 a_test {unpadded(bytes(range(32)))}\n".encode()
DAY = 86_400_000


@dataclass
class Federating:
    """A real homeserver: its name among others, the way to it, and what stands before it."""

    name: str
    way: Way
    key: bytes
    proxy: Proxy

    @property
    def keys(self) -> dict[str, str]:
        name, key = verify_key(self.key)
        return {name: unpadded(key.public_bytes(Encoding.Raw, PublicFormat.Raw))}


@contextmanager
def federating(folder: Path, authority: Authority, allowed: tuple[str, ...] | None = None) -> Iterator[Federating]:
    """Run a homeserver that is called by a port of loopback; None: it federates with everybody."""
    folder.mkdir()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue(folder.name, "localhost", "localhost"))
    port, plain = free_port(), free_port()
    with proxied(port, tls) as proxy:
        name = f"localhost:{proxy.port}"
        listener = {"port": port, "bind_addresses": ["127.0.0.1"], "type": "http"}
        more = {
            "server_name": name,
            "listeners": [listener | {"resources": [{"names": ["client", "federation"]}]}],
            "federation_domain_whitelist": allowed if allowed is None else list(allowed),
            "federation_custom_ca_list": [str(authority.path)],
            "ip_range_whitelist": ["127.0.0.0/8", "::1/128"],
        }
        with homeserver.running(folder, plain, more=more):
            trusted = ssl.create_default_context(cafile=str(authority.path))
            origin = Origin(name="localhost", port=proxy.port, dial=dial_to("127.0.0.1", proxy.port), tls=trusted)
            yield Federating(name, Way("vantage-1", True, origin), (folder / "signing.key").read_bytes(), proxy)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, real_synapse: None) -> Iterator[tuple[Federating, Federating]]:
    folder = tmp_path_factory.mktemp("federating")
    authority = Authority(folder)
    with federating(folder / "ours", authority) as ours, federating(folder / "theirs", authority) as theirs:
        yield ours, theirs


def test_two_homeservers_that_reach_each_other_are_good(pair: tuple[Federating, Federating]) -> None:
    ours, theirs = pair
    assert list(seen_from(ours.way, ours.name, ours.keys)) == []
    assert list(partner_wrongs(ours.way.origin, theirs.name, ours.name)) == []


def test_a_homeserver_of_another_key_is_found(pair: tuple[Federating, Federating]) -> None:
    ours, theirs = pair
    (found,) = seen_from(ours.way, ours.name, theirs.keys)
    assert "and the site's own ed25519:" in found


def test_a_partner_that_cannot_fetch_our_key_is_found(pair: tuple[Federating, Federating]) -> None:
    """It has it already, so it is made to refuse what it would refuse without."""
    ours, theirs = pair

    def refuse(passing: Passing) -> None:
        if "/query/directory" in passing.path:
            passing.status, passing.body = 401, b'{"errcode": "M_UNAUTHORIZED"}'

    theirs.proxy.before = refuse
    try:
        (found,) = partner_wrongs(ours.way.origin, theirs.name, ours.name)
    finally:
        theirs.proxy.before = lambda _passing: None
    assert "is not reached, or does not take this homeserver's signature: HTTP 502" in found


def test_a_partner_that_nobody_reaches_is_found(pair: tuple[Federating, Federating]) -> None:
    ours, _ = pair
    (found,) = partner_wrongs(ours.way.origin, f"localhost:{free_port()}", ours.name)
    assert "HTTP 502 M_UNKNOWN Failed to fetch alias" in found


class Answering:
    """A homeserver behind the site's external addresses that answers as a test says."""

    def __init__(self, world: World, folder: Path, stack: ExitStack) -> None:
        self.world, self.key = world, Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.replies: dict[str, Reply] = {
            "/_matrix/federation/v1/version": self.reply({"server": {"name": "Synapse", "version": "1.163.2"}}),
            "/_matrix/federation/v1/query/directory": Reply(401),
            "/_matrix/key/v2/server": self.reply(self.shown()),
            "/_matrix/key/v2/query": self.reply({"server_keys": [self.shown(OTHER, DOMAIN)]}),
            "/_matrix/client/v3/directory/room": self.reply({"errcode": "M_NOT_FOUND"}, 404),
        }
        authority = Authority(folder)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*authority.issue("web", "matrix.example.test", "matrix.example.test"))
        port = stack.enter_context(serving(self._answer, tls))
        world.ports |= {(address, 443): port for address in ("198.51.100.101", "2001:db8:100::101")}
        world.single[TLS_SECRET] = {"data": {"ca.crt": base64.b64encode(authority.path.read_bytes()).decode()}}
        world.secrets["synapse-signing-key", "signing.key"] = SEED
        partners = FederationPartners(probe=OTHER)
        settings = world.site.settings.model_copy(update={"federation": True, "federation_partners": partners})
        world.site = replace(world.site, settings=settings)

    def shown(self, name: str = DOMAIN, *others: str, until: int = DAY) -> dict[str, Any]:
        """Return a server's key, signed by itself and, as it seems, by others."""
        public = unpadded(self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        document = {
            "server_name": name,
            "verify_keys": {"ed25519:a_test": {"key": public}},
            "valid_until_ts": int(time.time() * 1000) + until,
        }
        text = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        signature = {"ed25519:a_test": unpadded(self.key.sign(text))}
        return document | {"signatures": dict.fromkeys((name, *others), signature)}

    @staticmethod
    def reply(document: object, status: int = 200) -> Reply:
        return Reply(status, json.dumps(document).encode())

    def _answer(self, _method: str, path: str, _headers: Mapping[str, str]) -> Reply:
        return next((reply for place, reply in self.replies.items() if path.startswith(place)), Reply(404))


@pytest.fixture
def answering(world: World, tmp_path: Path) -> Iterator[Answering]:
    with ExitStack() as stack:
        yield Answering(world, tmp_path, stack)


def test_a_homeserver_that_others_find_and_that_finds_another_is_good(answering: Answering) -> None:
    result = federation.run(answering.world.context())
    assert (result.status, result.findings) == (Status.OK, ())
    assert "vantage-1 over IPv4, vantage-1 over IPv6, and other.test takes its questions" in result.why


@pytest.mark.parametrize(
    ("place", "reply", "says"),
    [
        ("/_matrix/key/v2/server", Reply(404), "HTTP 404, and not as a homeserver answers"),
        ("/_matrix/federation/v1/version", Reply(403), "HTTP 403, and not as a homeserver answers"),
        ("/_matrix/federation/v1/query/directory", Reply(200), "HTTP 200 without a signature"),
        ("/_matrix/client/v3/directory/room", Reply(502), "other.test is not reached"),
        ("/_matrix/client/v3/directory/room", Reply(404), "other.test is not reached"),
        ("/_matrix/key/v2/query", Reply(200, b'{"server_keys": []}'), "shows no key as a homeserver does"),
    ],
)
def test_each_fault_is_found(answering: Answering, place: str, reply: Reply, says: str) -> None:
    answering.replies[place] = reply
    result = federation.run(answering.world.context())
    assert result.status == Status.DRIFT
    assert says in "\n".join(result.findings)


@pytest.mark.parametrize(
    ("spoilt", "says"),
    [
        ({"server_name": OTHER}, "is the key of other.test, and example.test is wanted"),
        ({"valid_until_ts": 1}, "has ended"),
        ({"old_verify_keys": {}}, "is not signed by the key that it shows"),
        ({"verify_keys": {"ed25519:b": {"key": "AAAA"}}}, "shows ed25519:b, and the site's own ed25519:a_test"),
    ],
)
def test_a_key_that_is_not_the_sites_is_found(answering: Answering, spoilt: dict[str, Any], says: str) -> None:
    answering.replies["/_matrix/key/v2/server"] = answering.reply(answering.shown() | spoilt)
    assert says in "\n".join(federation.run(answering.world.context()).findings)


def test_a_signature_of_somebody_else_is_none(answering: Answering) -> None:
    shown = answering.shown()
    assert signed(shown, DOMAIN)
    assert not signed(shown | {"signatures": {OTHER: shown["signatures"][DOMAIN]}}, DOMAIN)


def test_a_way_that_is_shut_is_found(answering: Answering) -> None:
    answering.world.ports.pop(("2001:db8:100::101", 443))
    assert "vantage-1 over IPv6: no answer" in "\n".join(federation.run(answering.world.context()).findings)


def test_without_a_second_homeserver_half_is_seen_and_nothing_proven(answering: Answering) -> None:
    settings = answering.world.site.settings.model_copy(update={"federation_partners": FederationPartners()})
    answering.world.site = replace(answering.world.site, settings=settings)
    result = federation.run(answering.world.context())
    assert result.status == Status.UNPROVEN
    assert "the site names no second one" in result.why


def test_a_site_that_does_not_federate_is_not_tried(world: World) -> None:
    assert federation.run(world.context()).status == Status.NOT_RUN


def test_without_a_vantage_host_nobody_looked(answering: Answering) -> None:
    site = answering.world.site
    machines = tuple(machine for machine in site.machines if machine.kind != "vantage")
    answering.world.site = replace(site, machines=machines)
    result = federation.run(answering.world.context())
    assert (result.status, result.why) == (Status.UNPROVEN, "nobody looked from outside")
