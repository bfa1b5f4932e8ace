"""Claims about the gates of the public names: documents, redirection, addresses, certificates."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apps.message_probe.wire import dial_to
from model.report.outcome import Status
from remote.gates import certificates, ingress, well_known
from remote.gates.gate import GateContext
from remote.gates.public import TLS_SECRET
from tests.remote.authority import Authority
from tests.remote.gates.web import Reply, serving
from tests.remote.gates.world import World, rendered

CLIENT = {
    "m.homeserver": {"base_url": "https://matrix.example.test"},
    "org.matrix.msc4143.rtc_foci": [{"type": "livekit", "livekit_service_url": "https://livekit.example.test"}],
}
JSON = {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}
EXTERNAL = ("198.51.100.101", "2001:db8:100::101")
NAMES = ("matrix.example.test", "example.test")


class Public:
    """The public names behind their external addresses, answering as a test says; whois tells what a test says."""

    def __init__(self, world: World, folder: Path, stack: ExitStack) -> None:
        self.world = world
        self.replies: dict[str, Reply] = {
            "/.well-known/matrix/client": Reply(200, json.dumps(CLIENT).encode(), JSON),
            "/.well-known/matrix/server": Reply(200, b'{"m.server": "matrix.example.test:443"}', JSON),
            "/_matrix/client/versions": Reply(200, b'{"versions": ["v1.1"]}', JSON),
            "/_matrix/client/v3/account/whoami": Reply(200, b"{}", JSON),
        }
        self.plain = Reply(301, b"", {"Location": "https://matrix.example.test/"})
        self.noted: list[str] = ["198.51.100.200"]
        self.cleared: list[str] = []
        self.clearing = 200
        self.authority = Authority(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.authority.issue("web", "matrix.example.test", *NAMES))
        secure = stack.enter_context(serving(self._secure, context))
        plain = stack.enter_context(serving(lambda *_: self.plain))
        inside = stack.enter_context(serving(self._inside))
        for address in EXTERNAL:
            world.ports |= {(address, 443): secure, (address, 80): plain}
        world.pod("haproxy-a", "matrix", {"matrix-fleet.io/pod": "haproxy"}, "10.0.0.1")
        world.ports["10.0.0.1", 8009] = inside
        world.secrets["synapse", "registration_shared_secret"] = b"of a test"
        ca = base64.b64encode(self.authority.path.read_bytes()).decode()
        world.single[TLS_SECRET] = {"data": {"ca.crt": ca}}
        world.objects[certificates.INGRESSES] = [{"metadata": {}, "spec": {"tls": [{"hosts": list(NAMES)}]}}]

    def _secure(self, _method: str, path: str, _headers: Mapping[str, str]) -> Reply:
        return self.replies.get(path, Reply(404))

    def _inside(self, method: str, path: str, _headers: Mapping[str, str]) -> Reply:
        if path.endswith("/v1/register"):
            account = {"user_id": "@probe:example.test", "device_id": "D", "access_token": "t"}
            return Reply(200, json.dumps({"nonce": "n"} if method == "GET" else account).encode())
        if "/whois/" in path:
            sessions = [{"connections": [{"ip": address} for address in self.noted]}]
            return Reply(200, json.dumps({"devices": {"": {"sessions": sessions}}}).encode())
        self.cleared.append(path)
        return Reply(self.clearing, b"{}")


@pytest.fixture
def public(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Public]:
    """All as it should be."""
    monkeypatch.setattr("remote.gates.ingress._NOTED_SECONDS", 2.0)
    # The test's own authority signs for a day.
    monkeypatch.setattr("remote.gates.certificates._DAYS", 0)
    with ExitStack() as stack:
        yield Public(world, tmp_path, stack)


def found(module: Any, public: Public) -> str:
    """Run a gate, which must find something."""
    result = module.run(public.world.context())
    assert result.status == Status.DRIFT
    return "\n".join(result.findings)


def test_documents_that_lead_clients_are_good(public: Public) -> None:
    result = well_known.run(public.world.context())
    assert (result.status, result.findings) == (Status.OK, ())


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(404), "client: HTTP 404"),
        (Reply(200, json.dumps(CLIENT).encode(), JSON | {"Content-Type": "text/plain"}), "comes as text/plain"),
        (Reply(200, json.dumps(CLIENT).encode(), {"Content-Type": "application/json"}), "a browser may not read it"),
        (Reply(200, b"<html>", JSON), "holds no JSON"),
        (
            Reply(200, b'{"m.homeserver": {"base_url": "https://other"}}', JSON),
            'm.homeserver is {"base_url": "https://o',
        ),
        (Reply(200, json.dumps({"m.homeserver": CLIENT["m.homeserver"]}).encode(), JSON), "rtc_foci is null"),
    ],
)
def test_each_fault_of_the_documents_is_found(public: Public, reply: Reply, says: str) -> None:
    public.replies["/.well-known/matrix/client"] = reply
    assert says in found(well_known, public)


def test_documents_that_are_not_reached_are_found(public: Public) -> None:
    public.world.ports.pop((EXTERNAL[1], 443))
    assert "vantage-1 over IPv6: example.test/.well-known/matrix/client: no answer" in found(well_known, public)


def test_an_ingress_that_keeps_addresses_is_good(public: Public) -> None:
    public.noted = ["198.51.100.200"]
    result = ingress.run(public.world.context())
    assert (result.status, result.findings) == (Status.OK, ())
    assert any("deactivate" in path for path in public.cleared)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(200), "port 80: HTTP 200, and it must lead to https://matrix.example.test"),
        (Reply(301, b"", {"Location": "http://matrix.example.test/"}), "port 80: HTTP 301"),
        (Reply(301, b"", {"Location": "https://elsewhere.test/"}), "port 80: HTTP 301"),
    ],
)
def test_a_port_80_that_leads_elsewhere_is_found(public: Public, reply: Reply, says: str) -> None:
    public.plain = reply
    assert says in found(ingress, public)


def test_an_ingress_without_synapse_is_found(public: Public) -> None:
    public.replies["/_matrix/client/versions"] = Reply(503)
    assert "vantage-1 over IPv4: port 443: HTTP 503, and not as Synapse answers" in found(ingress, public)


def test_a_family_that_is_shut_is_found(public: Public) -> None:
    public.world.ports.pop((EXTERNAL[1], 80))
    assert "vantage-1 over IPv6: port 80: no answer" in found(ingress, public)


def test_a_proxys_address_in_the_clients_place_is_found(public: Public) -> None:
    public.noted = ["10.244.1.7"]
    assert "Synapse takes 10.244.1.7 for the client, which is 198.51.100.200" in found(ingress, public)


def test_an_address_that_nobody_notes_is_found(public: Public) -> None:
    public.noted = []
    assert "Synapse notes no address of a client" in found(ingress, public)


def test_users_that_could_not_be_taken_away_are_found(public: Public) -> None:
    public.clearing = 500
    told = found(ingress, public)
    assert "left behind: deactivate a user" in told
    assert "the probe's own administrator" in told


def test_certificates_that_clients_trust_are_good(public: Public) -> None:
    result = certificates.run(public.world.context())
    assert (result.status, result.findings) == (Status.OK, ())
    assert result.figures["handshakes"] == 4


def test_a_certificate_without_the_name_is_found(public: Public) -> None:
    public.world.objects[certificates.INGRESSES][0]["spec"]["tls"][0]["hosts"].append("chat.example.test")
    assert "chat.example.test by vantage-1 over IPv4: is not trusted: Hostname mismatch" in found(certificates, public)


def test_an_authority_that_clients_do_not_trust_is_found(public: Public, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = base64.b64encode(Authority(tmp_path / "other").path.read_bytes()).decode()
    public.world.single[TLS_SECRET] = {"data": {"ca.crt": other}}
    assert "is not trusted" in found(certificates, public)


def test_a_certificate_that_ends_soon_is_found(public: Public, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remote.gates.certificates._DAYS", 14)
    assert "the certificate expires in 0 days" in found(certificates, public)


def test_a_name_that_nobody_serves_is_found(public: Public) -> None:
    public.world.ports.clear()
    assert "not reached" in found(certificates, public)


def test_without_an_ingress_nothing_is_served_yet(world: World) -> None:
    assert certificates.run(world.context()).status == Status.NOT_RUN


def test_an_ingress_that_is_rendered_and_served_by_nobody_is_found(public: Public) -> None:
    public.world.ports.clear()
    public.world.objects.clear()
    ingress = {"kind": "Ingress", "metadata": {"name": "a"}, "spec": {"tls": [{"hosts": ["matrix.example.test"]}]}}
    public.world.rendered = [rendered("haproxy", ingress)]
    assert "matrix.example.test" in found(certificates, public)


def _without_vantage(public: Public) -> GateContext:
    context = public.world.context()
    machines = tuple(machine for machine in context.site.machines if machine.kind != "vantage")
    return replace(context, site=replace(context.site, machines=machines))


def test_nobody_outside_and_no_way_from_here_proves_nothing(public: Public) -> None:
    context = _without_vantage(public)
    for gate in (certificates, ingress, well_known):
        result = gate.run(context)
        assert (result.status, result.findings) == (Status.UNPROVEN, ())
        assert "vantage host" in result.next_step


def test_without_a_vantage_host_this_machine_judges_what_it_reaches(
    public: Public, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = public.world.ports[EXTERNAL[0], 443]
    # A machine of IPv4 alone.
    ways = {EXTERNAL[0]: port, EXTERNAL[1]: 1}
    monkeypatch.setattr("remote.gates.public.dial_to", lambda address, _port: dial_to("127.0.0.1", ways[address]))
    context = _without_vantage(public)
    result = certificates.run(context)
    assert (result.status, result.figures["handshakes"]) == (Status.OK, 2)
    assert "trusted from this machine" in result.why
    result = well_known.run(context)
    assert (result.status, result.next_step) == (Status.UNPROVEN, "declare a vantage host in hosts.yaml")
    public.replies["/.well-known/matrix/client"] = Reply(404)
    assert well_known.run(context).status == Status.DRIFT
    public.world.objects[certificates.INGRESSES][0]["spec"]["tls"][0]["hosts"].append("chat.example.test")
    assert certificates.run(context).status == Status.DRIFT
