"""Claims about the gate of Redis, tried with servers that speak its protocol."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from model.report.outcome import Status
from remote.gates import redis
from tests.remote.conftest import fake_server  # noqa: F401 - a fixture
from tests.remote.gates.redis_server import SmallRedis
from tests.remote.gates.world import World, rendered

Serve = Callable[[Callable[[socket.socket], None]], int]
POD = "matrix-fleet.io/pod"


class Small:
    """Three servers, three Sentinels and a proxy that leads to the first server."""

    def __init__(self, world: World, serve: Serve) -> None:
        self.keys: dict[str, str] = {}
        replica = {"role": "slave", "master_host": "redis-0.redis.matrix.svc.cluster.local", "master_link_status": "up"}
        self.servers = [SmallRedis(info=dict(replica), keys=self.keys) for _ in range(3)]
        self.servers[0].info = {"role": "master", "connected_slaves": "2"}
        self.sentinels = [SmallRedis("other", master="redis-0.redis.matrix.svc.cluster.local") for _ in range(3)]
        self.proxy = SmallRedis(keys=self.keys)
        for number in range(3):
            world.pod(f"redis-{number}", "matrix", {POD: "redis"}, f"10.0.0.{number}")
            world.ports[f"10.0.0.{number}", 6379] = serve(self.servers[number].treat)
            world.pod(f"redis-sentinel-{number}", "matrix", {POD: "redis-sentinel"}, f"10.0.1.{number}")
            world.ports[f"10.0.1.{number}", 26379] = serve(self.sentinels[number].treat)
        world.pod("redis-proxy-a", "matrix", {POD: "redis-proxy"}, "10.0.2.0")
        world.ports["10.0.2.0", 6379] = serve(self.proxy.treat)
        world.secrets |= {("redis", "password"): b"of a test", ("redis-sentinel", "password"): b"other"}
        self.world = world


@pytest.fixture
def small(world: World, fake_server: Serve, monkeypatch: pytest.MonkeyPatch) -> Small:  # noqa: F811
    """Everything as it should be."""
    monkeypatch.setattr("remote.gates.redis._FOLLOWS_SECONDS", 0.2)
    return Small(world, fake_server)


def findings(small: Small) -> str:
    """Run the gate, which must find something, and return what."""
    result = redis.run(small.world.context())
    assert result.status == Status.DRIFT
    return "\n".join(result.findings)


def test_a_master_that_all_agree_on_is_good(small: Small) -> None:
    result = redis.run(small.world.context())
    assert (result.status, result.findings) == (Status.OK, ())
    assert "matrix/redis-0 on w-1 is master by 3 Sentinels, 2 follow" in result.why
    assert small.keys == {}


def test_a_server_without_password_is_found(small: Small) -> None:
    small.servers[1].password = ""
    assert "matrix/redis-1 on w-1: answers without a password" in findings(small)


def test_a_server_that_does_not_know_the_password_is_found(small: Small) -> None:
    small.servers[2].password = "another"
    assert "matrix/redis-2 on w-1: does not answer: AuthenticationError" in findings(small)
    assert "of a test" not in findings(small)


def test_two_masters_are_found(small: Small) -> None:
    small.servers[1].info = {"role": "master"}
    assert "2 servers say they are the master" in findings(small)


def test_no_master_is_found(small: Small) -> None:
    small.servers[0].info = {"role": "slave", "master_host": "redis-1", "master_link_status": "down"}
    said = findings(small)
    assert "0 servers say they are the master: none" in said
    assert "nothing was written through a proxy" in said


def test_a_broken_link_is_found(small: Small) -> None:
    small.servers[1].info["master_link_status"] = "down"
    assert "matrix/redis-1 on w-1: its link to the master" in findings(small)


def test_a_follower_of_another_is_found(small: Small) -> None:
    small.servers[1].info["master_host"] = "redis-2.redis.matrix.svc.cluster.local"
    assert "matrix/redis-1 on w-1: follows redis-2" in findings(small)


def test_sentinels_that_do_not_agree_are_found(small: Small) -> None:
    small.sentinels[0].master = "redis-1.redis.matrix.svc.cluster.local"
    assert "not all Sentinels name redis-0" in findings(small)
    small.sentinels[1].master = "redis-2.redis.matrix.svc.cluster.local"
    assert "no majority of the Sentinels" in findings(small)


def test_sentinels_that_name_another_than_the_master_are_found(small: Small) -> None:
    for sentinel in small.sentinels:
        sentinel.master = "redis-1.redis.matrix.svc.cluster.local"
    assert "the Sentinels name redis-1" in findings(small)


def test_sentinels_that_name_nobody_are_found(small: Small) -> None:
    for sentinel in small.sentinels:
        sentinel.master = ""
    assert "no Sentinel names a master" in findings(small)


def test_a_sentinel_without_quorum_is_found(small: Small) -> None:
    small.sentinels[1].able = "no"
    assert "matrix/redis-sentinel-1 on w-1: does not answer: ResponseError: NOQUORUM" in findings(small)


def test_a_proxy_that_leads_elsewhere_is_found(small: Small) -> None:
    small.proxy.keys = {}
    assert "matrix/redis-proxy-a on w-1: what is written through it does not arrive at the master" in findings(small)


def test_a_proxy_that_leads_nowhere_is_found(small: Small) -> None:
    small.world.ports.pop(("10.0.2.0", 6379))
    assert "matrix/redis-proxy-a on w-1: leads to no master" in findings(small)


def test_a_replica_that_does_not_follow_is_found(small: Small) -> None:
    small.servers[2].keys = {}
    assert "matrix/redis-2 on w-1: does not follow what is written" in findings(small)


def test_without_pods_nothing_is_proven() -> None:
    result = redis.judged((), (), (), {})
    assert result.status == Status.DRIFT
    assert "there is no pod of redis" in result.findings


def test_a_follower_that_has_no_pod_any_more_is_found(small: Small) -> None:
    declared = [
        {"kind": "StatefulSet", "metadata": {"name": name}, "spec": {"replicas": 3}}
        for name in ("redis", "redis-sentinel")
    ]
    small.world.rendered = [rendered("redis", *declared)]
    assert redis.run(small.world.context()).status == Status.OK
    pods = small.world.objects["/api/v1/namespaces/matrix/pods"]
    pods[:] = [pod for pod in pods if pod["metadata"]["name"] not in ("redis-2", "redis-sentinel-2")]
    result = findings(small)
    assert "2 of 3 pods of redis are there" in result
    assert "2 of 3 pods of redis-sentinel are there" in result
