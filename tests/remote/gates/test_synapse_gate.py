"""Claims about the gate of Synapse's processes: all of the plan, one version, and everybody listens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows._rollout.gates import try_gate
from model.errors import SecretsUnreadable
from model.report.outcome import Status
from model.rollout.synapse.processes import processes
from model.rollout.values.haproxy import synapse_version
from remote.gates import synapse
from remote.gates.pod import GatedPod, pods_of
from remote.gates.synapse import SynapseProcess
from tests.remote import homeserver
from tests.remote.conftest import fake_server, free_port  # noqa: F401 - a fixture
from tests.remote.gates.redis_server import SmallRedis
from tests.remote.gates.web import Reply, serving
from tests.remote.gates.world import World

PLANNED = ("synapse-main-0", "synapse-sync-0", "synapse-sync-1")
POD = "matrix-fleet.io/pod"


def process(name: str, **more: Any) -> SynapseProcess:
    """Return a process that is as it should be, but for what is said."""
    usual: dict[str, Any] = {"name": name, "where": f"matrix/{name} on w-1", "version": "1.163.2", "serves": True}
    return SynapseProcess(**(usual | more))


ALL = tuple(process(name) for name in PLANNED)


def test_all_processes_of_one_version_are_good() -> None:
    result = synapse.judged(PLANNED, ALL, "1.163.2", 3)
    assert (result.status, result.findings) == (Status.OK, ())


@pytest.mark.parametrize(
    ("found", "listening", "silence", "says"),
    [
        (ALL[:2], 3, "", "synapse-sync-1: is planned and not there"),
        (
            (*ALL[:2], process("synapse-sync-1", version="1.162.0")),
            3,
            "",
            "is of version 1.162.0, and 1.163.2 is wanted",
        ),
        ((*ALL[:2], process("synapse-sync-1", version="")), 3, "", "is of version unknown"),
        ((*ALL[:2], process("synapse-sync-1", ready=False)), 3, "", "synapse-sync-1 on w-1: is not ready"),
        ((*ALL[:2], process("synapse-sync-1", serves=False)), 3, "", "its listener for clients does not answer"),
        ((*ALL[:2], process("synapse-sync-1", failure="does not answer: x")), 3, "", "does not answer: x"),
        (ALL, 2, "", "2 processes listen to the others' news at Redis's master, and 3 must"),
        (ALL, 0, "Redis does not tell who listens: it has no master", "Redis does not tell who listens"),
        ((), 3, "", "no process of Synapse runs"),
    ],
)
def test_each_fault_is_found(found: tuple[SynapseProcess, ...], listening: int, silence: str, says: str) -> None:
    result = synapse.judged(PLANNED, found, "1.163.2", listening, silence)
    assert result.status == Status.DRIFT
    assert says in "\n".join(result.findings)


@pytest.mark.parametrize("ready", [True, False])
def test_without_redis_password_the_processes_are_judged_alone_and_good_ones_prove_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, *, ready: bool
) -> None:
    def closed(_name: str, _key: str) -> bytes:
        raise SecretsUnreadable("the store cannot be read here")

    def looked(pod: GatedPod, _port: int) -> SynapseProcess:
        return process(pod.name, version=synapse_version(world.site), ready=ready)

    for name in (process_.name for process_ in processes(world.site.settings, "matrix").all):
        world.pod(name, "matrix", {POD: "synapse" if name == "synapse-main-0" else "synapse-worker"}, "10.0.0.1")
    monkeypatch.setattr(synapse, "look", looked)
    result = try_gate("synapse", "synapse", replace(world.context(), secret=closed)).result
    expected = (Status.UNPROVEN, "the store cannot be read here") if ready else (Status.DRIFT, "is not ready")
    assert (result.status, expected[1] in result.why) == (expected[0], True)


def test_a_real_synapse_tells_its_version(world: World, tmp_path: Path, real_synapse: None) -> None:
    health, port = free_port(), free_port()
    listener = {
        "port": health, "bind_addresses": ["127.0.0.1"], "type": "http", "resources": [{"names": ["metrics"]}],
    }  # fmt: skip
    world.pod("synapse-main-0", "matrix", {POD: "synapse"}, "10.0.0.1")
    world.ports |= {("10.0.0.1", 9001): health, ("10.0.0.1", 8008): port}
    with homeserver.running(tmp_path, port, more={"enable_metrics": True, "listeners": [listener]}):
        (pod,) = pods_of(world.context(), "synapse")
        found = synapse.look(pod, 8008)
    assert (found.version, found.serves, found.failure) == ("1.163.2", True, "")


@pytest.fixture
def everybody(world: World, fake_server: Any) -> Iterator[SmallRedis]:  # noqa: F811
    """Every process of the plan, and the Redis that they listen to."""

    def answers(_method: str, path: str, _headers: Mapping[str, str]) -> Reply:
        metrics = b'synapse_build_info{osversion="x",pythonversion="3.11",version="1.163.2 (b=x)"} 1.0\n'
        return Reply(200, metrics if "metrics" in path else b'{"versions": []}')

    running = processes(world.site.settings, "matrix")
    redis = SmallRedis(listening=len(running.all))
    with serving(answers) as port:
        for number, planned in enumerate(running.all):
            main = planned.name == running.main.name
            world.pod(planned.name, "matrix", {POD: "synapse" if main else "synapse-worker"}, f"10.0.1.{number}")
            world.ports |= {(f"10.0.1.{number}", 9001): port, (f"10.0.1.{number}", 8008 if main else 8083): port}
        world.pod("redis-0", "matrix", {POD: "redis"}, "10.0.0.1")
        world.ports["10.0.0.1", 6379] = fake_server(redis.treat)
        world.secrets["redis", "password"] = b"of a test"
        yield redis


def test_the_gate_asks_every_process_and_redis(world: World, everybody: SmallRedis) -> None:
    result = synapse.run(world.context())
    assert (result.status, result.findings) == (Status.OK, ())
    everybody.listening -= 1
    assert synapse.run(world.context()).status == Status.DRIFT


def test_a_process_that_is_gone_is_found(world: World, everybody: SmallRedis) -> None:
    world.objects["/api/v1/namespaces/matrix/pods"].pop(1)
    assert "is planned and not there" in synapse.run(world.context()).why
