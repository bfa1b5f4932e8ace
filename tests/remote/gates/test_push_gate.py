"""Claims about the gate of the push gateway: it answers, and says of a phone that there is not that it is unknown."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from model.report.outcome import Status
from model.site.outward import PushGateway
from remote.gates import push
from remote.gates.public import TLS_SECRET
from tests.model.rollout.stacks import APNS, FIREBASE
from tests.remote.authority import Authority
from tests.remote.gates.web import Reply, serving
from tests.remote.gates.world import World

DEPLOYMENTS = "/apis/apps/v1/namespaces/matrix/deployments"
REFUSED = Reply(200, json.dumps({"rejected": [base64.b64encode(bytes(32)).decode()]}).encode())


class Gateway:
    """The gateway at the public name."""

    def __init__(self, world: World, port: int) -> None:
        self.world, self.reply = world, REFUSED
        world.ports |= {(address, 443): port for address in ("198.51.100.101", "2001:db8:100::101")}
        features = world.site.settings.features.model_copy(update={"push_notifications": True})
        apps = PushGateway.model_validate({**APNS, **FIREBASE})
        settings = world.site.settings.model_copy(update={"features": features, "push": apps})
        world.site = replace(world.site, settings=settings)
        labels = {"matrix-fleet.io/component": "sygnal"}
        world.objects[DEPLOYMENTS] = [{"metadata": {"name": "sygnal", "labels": labels}}]


@pytest.fixture
def gateway(world: World, tmp_path: Path) -> Iterator[Gateway]:
    authority = Authority(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue("web", "matrix.example.test", "matrix.example.test"))
    world.single[TLS_SECRET] = {"data": {"ca.crt": base64.b64encode(authority.path.read_bytes()).decode()}}
    made: list[Gateway] = []

    def answer(_method: str, path: str, _headers: Mapping[str, str]) -> Reply:
        return made[0].reply if path == "/_matrix/push/v1/notify" else Reply(200, b"{}")

    with ExitStack() as stack:
        made.append(Gateway(world, stack.enter_context(serving(answer, tls))))
        yield made[0]


def test_a_gateway_whose_keys_are_taken_is_good(gateway: Gateway) -> None:
    result = push.run(gateway.world.context())
    assert (result.status, result.findings) == (Status.OK, ())
    assert "its keys for test.ios, test.android are taken" in result.why


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(502), "test.ios (apns) over vantage-1 over IPv4: the push service is not reached"),
        (Reply(404), "test.android (gcm) over vantage-1 over IPv4: HTTP 404"),
        (Reply(200, b'{"rejected": []}'), "was not refused"),
        (Reply(200, b"<html>"), "was not refused"),
    ],
)
def test_each_fault_is_found(gateway: Gateway, reply: Reply, says: str) -> None:
    gateway.reply = reply
    result = push.run(gateway.world.context())
    assert result.status == Status.DRIFT
    assert says in "\n".join(result.findings)


def test_a_gateway_whose_image_was_not_had_is_not_run_by_name(gateway: Gateway) -> None:
    gateway.world.objects.clear()
    result = push.run(gateway.world.context())
    assert result.status == Status.NOT_RUN
    assert "docker.io/matrixdotorg/sygnal:v0.15.1" in result.why


def test_a_site_without_a_gateway_is_not_tried(world: World) -> None:
    assert push.run(world.context()).status == Status.NOT_RUN
