"""Claims about the gate of PostgreSQL, with what psql printed on a real cluster."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from model.report.outcome import Status
from remote.gates import postgresql
from tests.remote.gates.world import World

FOLLOWER = {"name": "postgresql-2", "state": "streaming", "sync": "quorum", "lag": 0.001}
PRIMARY: dict[str, Any] = {
    "recovery": False, "readonly": "off", "version": 150018, "encoding": "UTF8", "collate": "C", "ctype": "C",
    "owner": "synapse", "receiver": None, "followers": [FOLLOWER, FOLLOWER | {"name": "postgresql-3"}],
    "supers": ["postgres"], "super_passwords": [],
    "synapse": {"super": False, "createrole": False, "createdb": False, "replication": False, "login": True},
}  # fmt: skip
REPLICA = PRIMARY | {"recovery": True, "readonly": "on", "receiver": "streaming", "followers": []}
SPEC = {
    "instances": 3,
    "resources": {"limits": {"memory": "512Mi"}},
    "postgresql": {"synchronous": {"method": "any", "number": 1}},
}
Spoil = Callable[[dict[str, Any]], object]


class Three:
    """Three instances whose psql answers as a test wants."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.says = {"postgresql-1": copy.deepcopy(PRIMARY)}
        self.says |= {f"postgresql-{number}": copy.deepcopy(REPLICA) for number in (2, 3)}
        self.write = "BEGIN\nCREATE TABLE\nINSERT 0 1\nROLLBACK\n"
        self.failure = ""
        for number, name in enumerate(self.says):
            world.pod(name, "matrix", {"cnpg.io/cluster": "postgresql"}, f"10.0.0.{number}", container="postgres")
        self.cluster: dict[str, Any] = {
            "spec": copy.deepcopy(SPEC),
            "status": {"readyInstances": 3, "phase": "Cluster in healthy state"},
        }
        world.single[postgresql.CLUSTER] = self.cluster
        world.ran = self._ran

    def _ran(self, argv: Sequence[str], stdin: bytes) -> str:
        name = argv[argv.index("--exec-id") + 2]
        if self.failure:
            return f"!{self.failure}"
        return self.write if b"CREATE TABLE" in stdin else json.dumps(self.says[name]) + "\n"

    def findings(self) -> str:
        """Run the gate, which must find something."""
        result = postgresql.run(self.world.context())
        assert result.status == Status.DRIFT
        return "\n".join(result.findings)


@pytest.fixture
def three(world: World, monkeypatch: pytest.MonkeyPatch) -> Three:
    """All as it should be."""
    monkeypatch.setattr("remote.gates.postgresql._CATCHES_UP_SECONDS", 0.0)
    return Three(world)


def test_three_instances_of_which_one_writes_are_good(three: Three) -> None:
    result = postgresql.run(three.world.context())
    assert (result.status, result.findings) == (Status.OK, ())
    assert result.why == "3 instances, matrix/postgresql-1 on w-1 writes, 2 follow it synchronously"
    assert result.figures == {"instances": 3.0, "synchronous": 2.0, "replay_lag_s": 0.001}


@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        ("postgresql-1", lambda says: says.update(encoding="SQL_ASCII"), "the database is SQL_ASCII / C / C"),
        ("postgresql-2", lambda says: says.update(collate="en_US.UTF-8"), "the database is UTF8 / en_US.UTF-8 / C"),
        ("postgresql-1", lambda says: says["supers"].append("eve"), "besides postgres these are superusers: eve"),
        ("postgresql-1", lambda says: says["super_passwords"].append("postgres"), "a superuser has a password"),
        ("postgresql-1", lambda says: says.update(owner="postgres"), "the database belongs to postgres"),
        ("postgresql-1", lambda says: says.update(synapse=None), "there is no role synapse"),
        ("postgresql-1", lambda says: says["synapse"].update(super=True), "may more than it needs: super"),
        ("postgresql-1", lambda says: says["synapse"].update(login=False), "the role synapse may not log in"),
        ("postgresql-1", lambda says: says["followers"].pop(), "1 of 2 others follow it"),
        ("postgresql-1", lambda says: [f.update(sync="async") for f in says["followers"]], "0 follow it synchronously"),
        ("postgresql-2", lambda says: says.update(receiver=None), "receives nothing from the primary"),
        ("postgresql-2", lambda says: says.update(recovery=False), "2 instances write"),
        ("postgresql-1", lambda says: says.update(recovery=True), "0 instances write: none"),
    ],
)  # fmt: skip
def test_each_fault_is_found(three: Three, name: str, spoil: Spoil, says: str) -> None:
    spoil(three.says[name])
    assert says in three.findings()


def test_a_primary_that_takes_no_writes_is_found(three: Three) -> None:
    three.write = "BEGIN\n"
    assert "matrix/postgresql-1 on w-1: takes no writes" in three.findings()


def test_an_instance_that_is_missing_is_found(three: Three) -> None:
    three.cluster["status"]["readyInstances"] = 2
    three.world.objects["/api/v1/namespaces/matrix/pods"].pop()
    assert "2 of 3 instances are ready (Cluster in healthy state)" in three.findings()


def test_one_that_was_made_just_now_catches_up(three: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remote.gates.postgresql._CATCHES_UP_SECONDS", 30.0)
    three.says["postgresql-2"].update(receiver=None)
    usual, asked = three.world.ran, []

    def later(argv: Sequence[str], stdin: bytes) -> str:
        asked.append(argv)
        if len(asked) > 4:
            three.says["postgresql-2"].update(receiver="streaming")
        return usual(argv, stdin)

    three.world.ran = later
    assert postgresql.run(three.world.context()).status == Status.OK


def test_memory_that_is_not_the_sizings_is_found(three: Three) -> None:
    three.cluster["spec"]["resources"]["limits"]["memory"] = "64Mi"
    assert "an instance has 64Mi of memory, and 512Mi by the sizing" in three.findings()


def test_psqls_complaint_is_told(three: Three) -> None:
    three.failure = "psql: error: connection refused"
    assert "psql: error: connection refused" in three.findings()


def test_what_is_no_answer_is_none(three: Three) -> None:
    three.says["postgresql-1"] = {}
    assert "psql's answer cannot be read" in three.findings()
