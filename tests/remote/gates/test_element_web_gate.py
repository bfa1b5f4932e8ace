"""Claims about the gate of the web client: its own configuration comes at its name, and nobody can frame it."""

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
from model.rollout.values.element_web import HEADERS, config
from remote.gates import element_web
from remote.gates.public import TLS_SECRET
from tests.remote.authority import Authority
from tests.remote.gates.web import Reply, serving
from tests.remote.gates.world import World, rendered

DEPLOYMENTS = "/apis/apps/v1/namespaces/matrix/deployments"
BUDGETS = "/apis/policy/v1/namespaces/matrix/poddisruptionbudgets"
LABELS = {"matrix-fleet.io/component": "element-web"}
NAME = "chat.example.test"


class WebClient:
    """The client behind its name: two pods with a budget, whose page and configuration a test may change."""

    def __init__(self, world: World, port: int) -> None:
        self.world, self.port = world, port
        self.headers: dict[str, str] = dict(HEADERS)
        self.config: dict[str, Any] = config(world.site.settings)
        self.status = 200
        world.ports |= {(address, 443): port for address in ("198.51.100.101", "2001:db8:100::101")}
        meta = {"name": "element-web", "labels": LABELS}
        world.objects[DEPLOYMENTS] = [{"metadata": meta, "spec": {"replicas": 2}}]
        world.objects[BUDGETS] = [{"metadata": meta, "spec": {}}]

    def answer(self, _method: str, path: str, headers: Mapping[str, str]) -> Reply:
        """Answer as the ingress does for this name."""
        if headers.get("Host") != NAME:
            return Reply(404)
        body = json.dumps(self.config).encode() if path == "/config.json" else b"<html>"
        return Reply(self.status, body, self.headers)


@pytest.fixture
def client(world: World, tmp_path: Path) -> Iterator[WebClient]:
    authority = Authority(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue("web", NAME, NAME))
    world.single[TLS_SECRET] = {"data": {"ca.crt": base64.b64encode(authority.path.read_bytes()).decode()}}
    made: list[WebClient] = []
    with ExitStack() as stack:
        port = stack.enter_context(serving(lambda *asked: made[0].answer(*asked), tls))
        made.append(WebClient(world, port))
        yield made[0]


def test_a_client_of_the_sites_own_homeserver_is_good(client: WebClient) -> None:
    result = element_web.run(client.world.context())
    assert (result.status, result.findings) == (Status.OK, ())
    assert NAME in result.why


def test_another_homeserver_is_found_over_every_way(client: WebClient) -> None:
    client.config["default_server_config"] = {"m.homeserver": {"base_url": "https://matrix.example.org"}}
    client.config["map_style_url"] = "https://maps.example.org"
    result = element_web.run(client.world.context())
    assert result.status == Status.DRIFT
    said = "\n".join(result.findings)
    assert said.count("default_server_config is ") == 2
    assert 'map_style_url is "https://maps.example.org", and absent is wanted' in said


@pytest.mark.parametrize("key", ["integrations_ui_url", "integrations_rest_url", "jitsi"])
def test_what_is_left_out_and_so_becomes_the_publishers_is_found(client: WebClient, key: str) -> None:
    del client.config[key]
    findings = element_web.run(client.world.context()).findings
    assert [f"{key} is absent" in finding for finding in findings] == [True] * 2


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_is_missing_is_found_on_page_and_configuration(client: WebClient, name: str) -> None:
    del client.headers[name]
    result = element_web.run(client.world.context())
    assert result.status == Status.DRIFT
    assert len([finding for finding in result.findings if f"{name} is absent" in finding]) == 4


def test_a_page_that_does_not_come_is_found(client: WebClient) -> None:
    client.status = 503
    assert "HTTP 503" in element_web.run(client.world.context()).why
    client.world.ports.clear()
    result = element_web.run(client.world.context())
    assert result.status == Status.DRIFT
    assert "no answer" in result.why


def test_two_pods_without_a_budget_are_found(client: WebClient) -> None:
    client.world.objects[BUDGETS] = []
    (finding,) = element_web.run(client.world.context()).findings
    assert finding == "matrix/element-web: its pods have no disruption budget"
    client.world.objects[DEPLOYMENTS][0]["spec"]["replicas"] = 1
    assert element_web.run(client.world.context()).status == Status.OK


def test_without_a_vantage_host_nobody_outside_has_seen_it(client: WebClient) -> None:
    world = client.world
    machines = tuple(machine for machine in world.site.machines if machine.kind != "vantage")
    world.site = replace(world.site, machines=machines)
    assert element_web.run(world.context()).status == Status.UNPROVEN
    world.monkeypatch.setattr("remote.gates.public.dial_to", lambda *_: dial_to("127.0.0.1", client.port))
    result = element_web.run(world.context())
    assert (result.status, "to this machine" in result.why) == (Status.UNPROVEN, True)
    del client.headers["X-Frame-Options"]
    assert element_web.run(world.context()).status == Status.DRIFT


def test_a_client_that_was_rolled_out_and_is_gone_is_found(client: WebClient) -> None:
    client.world.objects.clear()
    client.world.rendered.append(rendered("element-web"))
    (finding,) = element_web.run(client.world.context()).findings
    assert finding == "matrix/element-web: its Deployment is not there"


def test_a_client_whose_image_nobody_gave_is_not_run_by_name(client: WebClient) -> None:
    client.world.objects.clear()
    result = element_web.run(client.world.context())
    assert result.status == Status.NOT_RUN
    assert "docker.io/vectorim/element-web:v1.12.26" in result.why


def test_a_site_without_a_client_is_not_tried(world: World) -> None:
    features = world.site.settings.features.model_copy(update={"element_web": False})
    world.site = replace(world.site, settings=world.site.settings.model_copy(update={"features": features}))
    result = element_web.run(world.context())
    assert (result.status, "features.element_web" in result.why) == (Status.NOT_RUN, True)
