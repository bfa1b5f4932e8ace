"""The way to the Kubernetes API: a real sshd, real TLS, and servers that misbehave behind them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from nornir.core.inventory import Host

from flows._fleet.hosts import close
from flows._fleet.inventory import inventory
from model.errors import ApiUnreachable, KubernetesError, ObjectMissing, PlanRefused, ProtocolError, WaitExpired
from remote.api_endpoint import API_PORT, ApiEndpoint
from remote.api_paths import is_object
from remote.kube import Cluster
from remote.kubeconfig import tls_context
from tests.remote.api_server import FakeApi, fake_api
from tests.remote.authority import Authority
from tests.remote.conftest import SshServer, free_port, serve
from tests.remote.sites import write_site

NAME = "api.example.test"


@dataclass
class Place:
    """Three hosts, a cluster's authority, and servers made on demand."""

    hosts: Mapping[str, Host]
    authority: Authority
    admin: Path
    opened: ExitStack

    def serve(self, reply: Callable[[str, str], tuple[int, dict[str, Any]]], **other: Any) -> FakeApi:
        """Start one more API server."""
        authority = other.get("authority", self.authority)
        return self.opened.enter_context(fake_api(self.admin.parent, authority, other.get("name", NAME), reply))

    def cluster(self, *ports: int, timeout: float = 0.0, admins: Mapping[int, Path] | None = None) -> Cluster:
        """A cluster of control planes whose API servers listen on these ports."""
        files = admins or {}
        endpoints = [
            ApiEndpoint(host, ip_address("127.0.0.1"), NAME, port, str(files.get(at, self.admin)))
            for at, (host, port) in enumerate(zip(self.hosts.values(), ports, strict=False))
        ]
        cluster = Cluster(endpoints, timeout)
        self.opened.callback(cluster.close)
        return cluster


@pytest.fixture
def place(tmp_path: Path, sshd: SshServer) -> Iterator[Place]:
    hosts = {f"cp-{number}": sshd.port for number in (1, 2, 3)}
    nr = inventory(write_site(tmp_path / "site", hosts, {sshd.port: sshd.host_key}, sshd.login_key))
    authority = Authority(tmp_path)
    admin = authority.kubeconfig(tmp_path / "admin.conf", f"https://{NAME}:{API_PORT}")
    with ExitStack() as opened:
        yield Place(nr.inventory.hosts, authority, admin, opened)
    close(nr)


def thing(name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} | more


def good(method: str, path: str) -> tuple[int, dict[str, Any]]:
    return 200, thing("a", asked=f"{method} {path}")


def test_an_object_comes_through_the_ssh_connection(place: Place) -> None:
    server = place.serve(good)
    assert place.cluster(server.port).get("/api/v1/namespaces/x/configmaps/a")["kind"] == "ConfigMap"
    assert server.asked == ["GET /api/v1/namespaces/x/configmaps/a"]


def test_many_threads_share_one_cluster(place: Place) -> None:
    cluster = place.cluster(place.serve(good).port)
    seen: list[str] = []
    threads = [
        threading.Thread(target=lambda at=at: seen.append(cluster.get(f"/api/v1/nodes/{at}")["asked"]))
        for at in range(24)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted(f"GET /api/v1/nodes/{at}" for at in range(24))


def test_the_next_control_plane_answers_for_one_that_is_down_and_stays_first(place: Place) -> None:
    server = place.serve(good)
    cluster = place.cluster(free_port(), server.port)
    cluster.get("/version")
    assert cluster._api.first == "cp-2"
    cluster.get("/version")
    assert len(server.asked) == 2


def test_a_host_that_is_no_control_plane_yet_is_passed_over(place: Place) -> None:
    server = place.serve(good)
    place.cluster(server.port, server.port, admins={0: place.admin.parent / "none"}).get("/version")


def test_when_nobody_answers_each_host_is_named_with_its_reason(place: Place) -> None:
    cluster = place.cluster(free_port(), free_port(), admins={1: place.admin.parent / "none"})
    with pytest.raises(ApiUnreachable) as caught:
        cluster.get("/api/v1/nodes")
    assert "GET /api/v1/nodes" in str(caught.value)
    assert "cp-1: nothing answers there at 127.0.0.1 port" in str(caught.value)
    assert "cp-2: has no" in str(caught.value)


def test_waiting_outlasts_a_server_that_starts(place: Place) -> None:
    answers = iter([503, 503, 200])
    server = place.serve(lambda *_: (next(answers), thing("a")))
    place.cluster(server.port, timeout=10).get("/version")
    assert len(server.asked) == 3


def test_a_server_that_has_not_read_the_roles_yet_refuses_nobody_for_good(place: Place) -> None:
    starting = place.serve(lambda _, path: (500 if path == "/readyz" else 403, thing("a")))
    cluster = place.cluster(starting.port, place.serve(good).port)
    assert cluster.get("/api/v1/nodes/a")["kind"] == "ConfigMap"
    assert starting.asked == ["GET /api/v1/nodes/a", "GET /readyz"]
    between = iter([403, 200, 200])
    assert (
        place.cluster(place.serve(lambda *_: (next(between), thing("b"))).port).get("/version")["kind"] == "ConfigMap"
    )


def test_a_leader_election_of_etcd_passes(place: Place) -> None:
    answers = iter([(500, {"message": "etcdserver: leader changed"}), (200, thing("a"))])
    cluster = place.cluster(place.serve(lambda *_: next(answers)).port, timeout=10)
    assert cluster.patch("/api/v1/nodes/a", {})["kind"] == "ConfigMap"


def test_a_server_of_another_authority_is_not_believed(place: Place, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    server = place.serve(good, authority=Authority(tmp_path / "other"))
    with pytest.raises(ApiUnreachable, match="certificate verify failed"):
        place.cluster(server.port).get("/version")
    assert server.asked == []


def test_a_certificate_for_another_name_is_not_believed(place: Place) -> None:
    server = place.serve(good, name="api.other.test")
    with pytest.raises(ApiUnreachable, match=r"certificate is not valid for 'api\.example\.test'"):
        place.cluster(server.port).get("/version")


def test_a_silent_server_costs_bounded_time(place: Place, fake_server: Callable[..., int]) -> None:
    mute = fake_server(lambda connection: connection.recv(1) and threading.Event().wait(60))
    server = place.serve(good)
    began = time.monotonic()
    place.cluster(mute, server.port).get("/version")
    assert time.monotonic() - began < 40


def test_a_host_that_forwards_no_connections_relays_them(tmp_path: Path, login_key: Path, place: Place) -> None:
    strict = serve(tmp_path / "strict", login_key, options="AllowTcpForwarding no\n")
    nr = inventory(write_site(tmp_path / "other", {"cp-1": strict.port}, {strict.port: strict.host_key}, login_key))
    server = place.serve(good)
    here = ip_address("127.0.0.1")
    ways = [
        ApiEndpoint(nr.inventory.hosts["cp-1"], here, NAME, port, str(place.admin))
        for port in (server.port, free_port())
    ]
    try:
        assert Cluster(ways[:1], 0).get("/version")["kind"] == "ConfigMap"
        with pytest.raises(ApiUnreachable):
            Cluster(ways[1:], 0).get("/version")
    finally:
        close(nr)
        strict.process.kill()
        strict.process.wait()


def test_a_request_that_may_have_been_carried_out_is_repeated_only_where_harmless(place: Place) -> None:
    broken, server = place.serve(lambda *_: (0, {})), place.serve(good)
    with pytest.raises(KubernetesError, match=r"cp-1: Kubernetes: POST /api/v1/nodes: no answer"):
        place.cluster(broken.port, server.port).create("/api/v1/nodes", thing("a"))
    assert server.asked == []
    place.cluster(broken.port, server.port).patch("/api/v1/nodes/a", {})
    assert server.asked == ["PATCH /api/v1/nodes/a?fieldManager=matrix-fleet"]


def test_a_connection_that_ended_between_requests_is_opened_anew(place: Place) -> None:
    server = place.serve(good)
    cluster = place.cluster(server.port)
    for _ in range(3):
        cluster.get("/version")
        next(iter(place.hosts.values())).close_connections()
    assert len(server.asked) == 3


def test_a_refusal_says_host_verb_object_and_reason(place: Place) -> None:
    status = {"kind": "Status", "reason": "Forbidden", "message": 'nodes "a" is forbidden', "code": 403}
    with pytest.raises(KubernetesError) as caught:
        place.cluster(place.serve(lambda _, path: (200 if path == "/readyz" else 403, status)).port).delete(
            "/api/v1/nodes/a"
        )
    error = caught.value
    assert str(error) == 'cp-1: Kubernetes: DELETE /api/v1/nodes/a: nodes "a" is forbidden (403)'
    assert (error.status, error.reason, error.next_step) == (
        403,
        "Forbidden",
        "is the host's admin.conf an administrator's?",
    )


def test_what_is_not_there_is_missing_and_not_an_answer(place: Place) -> None:
    cluster = place.cluster(place.serve(lambda *_: (404, {"message": "not found"})).port)
    with pytest.raises(ObjectMissing):
        cluster.get("/api/v1/nodes/a")
    assert cluster.find("/api/v1/nodes/a") is None
    assert cluster.delete("/api/v1/nodes/a") is False


def test_long_lists_come_page_by_page(place: Place) -> None:
    def reply(method: str, path: str) -> tuple[int, dict[str, Any]]:
        more = "continue=" not in path
        items = [{"metadata": {"name": "a" if more else "b"}}]
        meta = {"continue": "next/one"} if more else {}
        return 200, {"kind": "NodeList", "apiVersion": "v1", "items": items, "metadata": meta}

    server = place.serve(reply)
    nodes = place.cluster(server.port).list("/api/v1/nodes", labels="a=b,c in (d,e)")
    assert [(node["kind"], node["metadata"]["name"]) for node in nodes] == [("Node", "a"), ("Node", "b")]
    assert server.asked[1].endswith("labelSelector=a%3Db%2Cc%20in%20%28d%2Ce%29&continue=next/one")


def test_waiting_ends_when_the_condition_is_met(place: Place) -> None:
    looks = iter([[], [], [{"metadata": {"name": "a"}}]])
    server = place.serve(lambda *_: (200, {"kind": "NodeList", "items": next(looks)}))
    seen = place.cluster(server.port).wait("/api/v1/nodes/a", bool, "node a to join", 10)
    assert [node["metadata"]["name"] for node in seen] == ["a"]
    assert server.asked[0] == "GET /api/v1/nodes?limit=500&fieldSelector=metadata.name%3Da"


def test_waiting_says_what_for_when_the_time_is_up(place: Place) -> None:
    server = place.serve(lambda *_: (200, {"kind": "NodeList", "items": []}))
    with pytest.raises(WaitExpired, match=r"node a to join: not within 0\.2 s"):
        place.cluster(server.port).wait("/api/v1/nodes/a", bool, "node a to join", 0.2)


def test_waiting_outlasts_an_api_that_is_away(place: Place) -> None:
    answers: Iterator[tuple[int, dict[str, Any]]] = iter([(503, {}), (200, {"items": [{}]})])
    cluster = place.cluster(place.serve(lambda *_: next(answers)).port)
    assert cluster.wait("/api/v1/nodes", bool, "a node", 10)


def test_an_unready_server_complains_by_check(place: Place) -> None:
    assert place.cluster(place.serve(good).port).healthy() == ()
    unready = place.serve(lambda *_: (500, {"text": "x"}))
    assert place.cluster(unready.port).healthy() == ("cp-1: not ready (HTTP 500)",)


@pytest.mark.parametrize(
    ("path", "single"),
    [
        ("/api/v1/nodes", False),
        ("/api/v1/nodes/a", True),
        ("/api/v1/namespaces", False),
        ("/api/v1/namespaces/a", True),
        ("/api/v1/namespaces/a/pods", False),
        ("/api/v1/namespaces/a/pods/b", True),
        ("/apis/apps/v1/daemonsets", False),
        ("/apis/apps/v1/namespaces/a/daemonsets/b", True),
    ],
)
def test_the_path_of_an_object_is_told_from_a_collections(path: str, single: bool) -> None:
    assert is_object(path) is single


def test_a_site_without_control_planes_is_refused() -> None:
    with pytest.raises(PlanRefused):
        Cluster([])


@pytest.mark.parametrize("text", ["", "a: [", "contexts: []\ncurrent-context: x\n", "just words"])
def test_a_torn_kubeconfig_is_an_error_without_its_content(text: str) -> None:
    with pytest.raises(ProtocolError, match=r"cp-1: its /etc/kubernetes/admin.conf cannot be understood"):
        tls_context("cp-1", text.encode())


def test_a_spoilt_key_shows_in_no_message(place: Place) -> None:
    text = place.admin.read_text()
    spoilt = text.replace("client-key-data: ", "client-key-data: QUJDREVG")
    with pytest.raises(ProtocolError) as caught:
        tls_context("cp-1", spoilt.encode())
    assert "QUJDREVG" not in f"{caught.value} {caught.value.__cause__} {caught.value.__context__}"
