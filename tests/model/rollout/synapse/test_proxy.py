"""HAProxy itself routes by our map as `pool_of` says, and refuses what stays inside."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from model.rollout.synapse.routing import routing
from model.rollout.synapse.samples import every_sample, neighbours
from tests.haproxy import haproxy_program
from tests.model.rollout.stacks import stack
from tests.model.rollout.synapse.synapse_sites import SIZES, rendered, running, site, table

pytestmark = pytest.mark.machine
PUBLIC, INSIDE, HEALTH = 18008, 18009, 18405
PROBE = {"X-Matrix-Fleet-Probe": "1"}


@pytest.fixture(scope="module")
def haproxy() -> str:
    return haproxy_program()


def configuration(folder: Path, size: str | int = "small", federation: bool = False, **switches: Any) -> Path:
    """Write a rendered configuration for other ports of loopback."""
    component = rendered(site(size, federation=federation, **switches), "haproxy")
    (folder / "routes.map").write_text(component.files["routes.map"])
    text = component.files["haproxy.cfg"].replace("/config/", f"{folder}/")
    # Whoever tests may open fewer files than a pod.
    text = re.sub(r"(?m)^    maxconn \d+$", "    maxconn 2000", text)
    for port in (8008, 8009, 8405):
        text = text.replace(f"bind [::]:{port} v4v6", f"bind 127.0.0.1:1{port}")
    (folder / "haproxy.cfg").write_text(text)
    return folder / "haproxy.cfg"


@contextmanager
def proxy(program: str, path: Path) -> Iterator[HTTPConnection]:
    """Run HAProxy until the block ends, and yield a connection to its public side."""
    with (path.parent / "log").open("wb") as log:
        process = subprocess.Popen([program, "-W", "-db", "-f", str(path)], stdout=log, stderr=log)
    try:
        end = time.monotonic() + 20
        while not _healthy():
            if time.monotonic() > end or process.poll() is not None:
                pytest.fail((path.parent / "log").read_text())
            time.sleep(0.05)
        with closing(HTTPConnection("127.0.0.1", PUBLIC, timeout=10)) as public:
            yield public
    finally:
        process.terminate()
        process.wait(20)


def _healthy() -> bool:
    with closing(HTTPConnection("127.0.0.1", HEALTH, timeout=5)) as connection:
        try:
            return ask(connection, "GET", "/health")[0] == 200
        except ConnectionError:
            return False


def ask(
    connection: HTTPConnection, method: str, path: str, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection.request(method, path, headers=headers or {})
    with connection.getresponse() as answer:
        return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("federation", [True, False])
def test_haproxy_accepts_the_configuration(size: str | int, federation: bool, haproxy: str, tmp_path: Path) -> None:
    path = configuration(tmp_path, size, federation=federation)
    done = subprocess.run([haproxy, "-c", "-f", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_haproxy_leads_pushes_to_the_sites_own_gateway(haproxy: str, tmp_path: Path) -> None:
    path = configuration(tmp_path)
    part = next(part for part in stack("push gateway").components if part.name == "haproxy")
    text = part.files["haproxy.cfg"].replace("/config/", f"{tmp_path}/")
    for port in (8008, 8009, 8405):
        text = text.replace(f"bind [::]:{port} v4v6", f"bind 127.0.0.1:1{port}")
    path.write_text(text)
    done = subprocess.run([haproxy, "-c", "-f", str(path)], capture_output=True, text=True)
    assert (done.returncode, "WARNING" in done.stderr) == (0, False), done.stderr
    with proxy(haproxy, path) as public:
        # The gateway has no address here; what is no push is refused as ever.
        assert ask(public, "POST", "/_matrix/push/v1/notify")[0] == 503
        assert ask(public, "POST", "/_matrix/push/v1/other")[0] == 403
    with proxy(haproxy, configuration(tmp_path)) as public:
        assert ask(public, "POST", "/_matrix/push/v1/notify")[0] == 403


def test_haproxy_refuses_a_map_that_is_no_expression(haproxy: str, tmp_path: Path) -> None:
    path = configuration(tmp_path)
    with (tmp_path / "routes.map").open("a") as file:
        file.write("^(GET:/x main\n")
    assert subprocess.run([haproxy, "-c", "-f", str(path)], capture_output=True).returncode == 1


@pytest.mark.parametrize("size", ["small", 20000])
def test_haproxy_sends_every_request_where_the_model_says(size: str | int, haproxy: str, tmp_path: Path) -> None:
    made = routing(table(), running(site(size, federation=True)))
    wrong = []
    settings = configuration(tmp_path, size, federation=True)
    with proxy(haproxy, settings), closing(HTTPConnection("127.0.0.1", INSIDE, timeout=10)) as inside:
        requests = [(route.method, path) for route, path in every_sample(table().routes)]
        requests += [(route.method, path) for route in table().routes for path in neighbours(route)]
        for method, path in requests:
            for query in ("", "since=s1", "since=s1&full_state=true"):
                if query and not path.endswith("sync"):
                    continue
                _, headers, _ = ask(inside, method, f"{path}?{query}", PROBE)
                pool = headers["x-matrix-fleet-pool"].partition("/")[0]
                if pool != made.pool_of(method, path, query):
                    wrong.append((method, path, query, pool))
    assert wrong == []


def test_the_outside_gets_what_is_for_everybody_and_nothing_else(haproxy: str, tmp_path: Path) -> None:
    with proxy(haproxy, configuration(tmp_path)) as public:
        for path in ("/_synapse/admin/v1/server_version", "/", "/health", "/metrics", "/_matrix/federation/v1/version"):
            status, _, body = ask(public, "GET", path, PROBE)
            assert (status, json.loads(body)["errcode"]) == (403, "M_FORBIDDEN"), path
        status, headers, _ = ask(public, "GET", "/_matrix/client/versions", PROBE)
        # No process runs here: the proxy says so itself, and which pool it would have asked.
        assert (status, headers["x-matrix-fleet-pool"].partition("/")[0]) == (503, "client-reader")
        assert "127.0.0.1" not in headers["x-matrix-fleet-pool"]
        status, headers, _ = ask(public, "GET", "/_matrix/client/versions")
        assert "x-matrix-fleet-pool" not in headers


def test_federation_is_open_where_the_site_federates(haproxy: str, tmp_path: Path) -> None:
    with proxy(haproxy, configuration(tmp_path, federation=True)) as public:
        assert ask(public, "GET", "/_matrix/federation/v1/version")[0] == 503


def test_a_browser_may_ask_and_is_told_where_the_homeserver_is(haproxy: str, tmp_path: Path) -> None:
    with proxy(haproxy, configuration(tmp_path)) as public:
        status, headers, _ = ask(public, "OPTIONS", "/_matrix/client/v3/login")
        assert (status, headers["access-control-allow-origin"]) == (204, "*")
        status, headers, body = ask(public, "GET", "/.well-known/matrix/client")
        assert (status, headers["content-type"]) == (200, "application/json")
        assert headers["access-control-allow-origin"] == "*"
        document = json.loads(body)
        assert document["m.homeserver"] == {"base_url": "https://matrix.example.test"}
        assert document["org.matrix.msc4143.rtc_foci"][0]["livekit_service_url"] == "https://livekit.example.test"
        assert json.loads(ask(public, "GET", "/.well-known/matrix/server")[2]) == {
            "m.server": "matrix.example.test:443"
        }


def test_without_federation_and_calls_nobody_is_told_of_a_server(haproxy: str, tmp_path: Path) -> None:
    with proxy(haproxy, configuration(tmp_path, element_call=False)) as public:
        assert ask(public, "GET", "/.well-known/matrix/server")[0] == 403
        assert json.loads(ask(public, "GET", "/.well-known/matrix/client")[2]).keys() == {"m.homeserver"}


def test_metrics_are_prometheus(haproxy: str, tmp_path: Path) -> None:
    address = ("127.0.0.1", HEALTH)
    with proxy(haproxy, configuration(tmp_path)), closing(HTTPConnection(*address, timeout=5)) as connection:
        _, _, body = ask(connection, "GET", "/metrics")
        assert b"haproxy_backend_status" in body
