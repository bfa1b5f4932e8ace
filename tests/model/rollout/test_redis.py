"""Redis, its Sentinels and the proxy: how many, and who is taken for the master."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from model.rollout.values import redis, redis_proxy
from model.site.site import Site
from tests.model.rollout.stacks import files, found, site, stack


def test_a_site_with_one_worker_has_one_redis_and_a_quorum_of_one() -> None:
    known = site()
    few = Site(
        known.settings,
        tuple(m for m in known.machines if "worker" not in m.roles or m.name == "w-1"),
        known.roles,
        known.rows,
        known.folder,
        known.application,
    )
    assert redis.values(few)["servers"] == 1
    assert redis.values(few)["quorum"] == 1
    assert redis_proxy.values(few)["proxies"] == 1


def test_sentinels_keep_their_identity_when_their_pods_are_made_again() -> None:
    first, second = redis.values(site())["sentinel_ids"], redis.values(site())["sentinel_ids"]
    assert first == second
    assert isinstance(first, dict)
    assert len(set(first.values())) == 3
    assert all(re.fullmatch(r"[0-9a-f]{40}", identity) for identity in first.values())


def test_the_proxy_asks_each_server_and_a_majority_of_sentinels() -> None:
    text = files("redis-proxy")["haproxy.cfg"]
    for number in range(3):
        assert (
            f"use_backend server-{number} if {{ nbsrv(named-{number}) ge 2 }} {{ nbsrv(server-{number}) ge 1 }}" in text
        )
    assert text.count("on-marked-down shutdown-sessions") == 3
    assert "expect string role:master" in text


def test_no_liveness_of_the_proxy_depends_on_redis() -> None:
    (deployment,) = found("redis-proxy", "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics", "scheme": "HTTP"}
    assert "monitor-uri /healthz" in files("redis-proxy")["haproxy.cfg"]
    assert "monitor fail" not in files("redis-proxy")["haproxy.cfg"]


def test_scripts_hold_no_secret_and_are_shell() -> None:
    for part in stack("small").components:
        for name, text in part.files.items():
            if name.endswith(".sh"):
                assert "@@secret" not in text
                subprocess.run(["sh", "-n"], input=text.encode(), check=True)


# Answers from files, named after host and port; is silent where the file is a folder; writes down what it is told.
_REDIS_CLI = """#!/bin/sh
if [ -d "PATH/answers/$2-${4:-6379}" ]; then exit 124; fi
if [ -z "$5" ] && [ -z "$4" ]; then cat >> "PATH/said"; exit 0; fi
[ -n "$5" ] || cat >> "PATH/said"
cat "PATH/answers/$2-$4" 2> /dev/null
"""


@pytest.fixture
def cluster(tmp_path: Path) -> ScriptedRedis:
    return ScriptedRedis(tmp_path)


class ScriptedRedis:
    """Servers and Sentinels that answer what files say; the scripts run as they are mounted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("bin", "answers", "secrets", "data", "conf"):
            (path / name).mkdir()
        self._program("redis-cli", _REDIS_CLI.replace("PATH", str(path)))
        self._program("redis-server", f'#!/bin/sh\ncat "$1" > "{path}/started"\n')
        # Whoever watches sleeps ten seconds at a time, and stops after so many rounds.
        rounds = f'echo . >> "{path}/rounds"; [ "$(wc -l < "{path}/rounds")" -le "${{ROUNDS:-0}}" ]'
        self._program("sleep", f'#!/bin/sh\n[ "$1" != 10 ] || {{ {rounds}; }}\n')
        # Each look at the clock is five seconds later.
        self._program("date", f'#!/bin/sh\necho . >> "{path}/clock"\necho $(($(wc -l < "{path}/clock") * 5))\n')
        for name, text in files("redis").items():
            text = re.sub(r"@@secret:[^@]*@@", "word", text)
            text = text.replace("/scripts/", f"{path}/scripts-").replace("/secrets/", f"{path}/secrets/")
            text = text.replace("/data/", f"{path}/data/").replace("/conf/", f"{path}/conf/")
            where = path / f"scripts-{name}" if name.endswith(".sh") else path / "secrets" / name
            where.write_text(text)
        for number in range(3):
            (path / f"scripts-id-redis-sentinel-{number}").write_text(str(number) * 40)

    def sentinel(self, number: int | str, master: int) -> None:
        """Let a Sentinel name a master."""
        own = isinstance(number, str)
        host = number if own else f"redis-sentinel-{number}.redis-sentinel.matrix.svc.cluster.local"
        self._answer(str(host), 26379, f"OK\nredis-{master}.redis.matrix.svc.cluster.local\n6379\n")

    def server(self, number: int | str, role: str) -> None:
        """Let a server say its role."""
        host = number if isinstance(number, str) else f"redis-{number}.redis.matrix.svc.cluster.local"
        self._answer(host, 6379, f"OK\n# Replication\r\nrole:{role}\r\n")

    def refusing(self, number: int) -> None:
        """Let a server take another password."""
        wrong = "WRONGPASS invalid username-password pair or user is disabled.\nNOAUTH Authentication required.\n"
        self._answer(f"redis-{number}.redis.matrix.svc.cluster.local", 6379, wrong)

    def hide(self, number: int) -> None:
        """Let nothing come back from a server."""
        (self.path / "answers" / f"redis-{number}.redis.matrix.svc.cluster.local-6379").mkdir()

    def seconds(self) -> int:
        """What the clock says."""
        return 5 * len((self.path / "clock").read_text().splitlines())

    def join(self, pod: str) -> str:
        """Return what was said to Redis by two rounds of whoever watches over a master."""
        return self._watched("join.sh", f"{pod}.redis.matrix.svc.cluster.local")

    def follow(self) -> str:
        """Return what was said to Sentinels by two rounds of whoever watches over one."""
        return self._watched("follow.sh")

    def _watched(self, script: str, *names: str) -> str:
        (self.path / "said").write_text("")
        (self.path / "rounds").write_text("")
        environment = {"PATH": f"{self.path}/bin:/usr/bin:/bin", "ROUNDS": "4"}
        subprocess.run(
            ["sh", str(self.path / f"scripts-{script}"), *names],
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=60,
        )
        return (self.path / "said").read_text()

    def start(self, pod: str) -> str:
        """Return the configuration that a pod starts with."""
        script = "start-sentinel.sh" if "sentinel" in pod else "start-server.sh"
        (self.path / "started").unlink(missing_ok=True)
        environment = {"PATH": f"{self.path}/bin:/usr/bin:/bin", "POD_NAME": pod}
        subprocess.run(
            ["sh", str(self.path / f"scripts-{script}")],
            env=environment,
            stdin=subprocess.DEVNULL,
            check=True,
            timeout=60,
        )
        return (self.path / "started").read_text()

    def _answer(self, host: str, port: int, text: str) -> None:
        (self.path / "answers" / f"{host}-{port}").write_text(text)

    def _program(self, name: str, text: str) -> None:
        (self.path / "bin" / name).write_text(text)
        (self.path / "bin" / name).chmod(0o755)


def test_the_first_server_of_all_becomes_master_and_the_others_follow(cluster: ScriptedRedis) -> None:
    assert "replicaof" not in cluster.start("redis-0")
    cluster.server(0, "master")
    assert "replicaof redis-0.redis.matrix.svc.cluster.local 6379" in cluster.start("redis-1")
    assert "replica-announce-ip redis-2.redis.matrix.svc.cluster.local" in cluster.start("redis-2")


def test_what_sentinels_say_counts_more_than_the_order(cluster: ScriptedRedis) -> None:
    cluster.sentinel(1, master=2)
    assert "replicaof redis-2.redis.matrix.svc.cluster.local 6379" in cluster.start("redis-0")
    assert "replicaof" not in cluster.start("redis-2")


def test_without_the_first_server_the_next_becomes_master(cluster: ScriptedRedis) -> None:
    assert "replicaof" not in cluster.start("redis-1")


def test_who_cannot_see_the_others_waits_before_it_makes_itself_master(cluster: ScriptedRedis) -> None:
    cluster.start("redis-0")
    alone = cluster.seconds()
    cluster.hide(1)
    assert "replicaof" not in cluster.start("redis-0")
    assert cluster.seconds() - alone > 60 > alone


def test_a_master_that_the_sentinels_do_not_name_joins_theirs(cluster: ScriptedRedis) -> None:
    cluster.server("localhost", "master")
    cluster.sentinel(0, master=1)
    assert "REPLICAOF" not in cluster.join("redis-0")
    cluster.sentinel(2, master=1)
    assert "REPLICAOF redis-1.redis.matrix.svc.cluster.local 6379" in cluster.join("redis-0")
    assert "REPLICAOF" not in cluster.join("redis-1")


def test_a_sentinel_that_watches_another_server_than_most_of_them_turns_to_theirs(cluster: ScriptedRedis) -> None:
    cluster.sentinel("localhost", master=0)
    cluster.sentinel(0, master=1)
    cluster.sentinel(2, master=0)
    assert "SENTINEL REMOVE" not in cluster.follow()
    cluster.sentinel(2, master=1)
    assert [line for line in cluster.follow().splitlines() if "synapse" in line and "GET-MASTER" not in line][:6] == [
        "SENTINEL REMOVE synapse",
        "SENTINEL MONITOR synapse redis-1.redis.matrix.svc.cluster.local 6379 2",
        "SENTINEL SET synapse auth-pass word",
        "SENTINEL SET synapse down-after-milliseconds 5000",
        "SENTINEL SET synapse failover-timeout 20000",
        "SENTINEL SET synapse parallel-syncs 2",
    ]
    cluster.sentinel("localhost", master=1)
    assert "SENTINEL REMOVE" not in cluster.follow()


def test_a_sentinel_that_answers_with_an_error_is_not_believed(cluster: ScriptedRedis) -> None:
    cluster._answer(
        "redis-sentinel-0.redis-sentinel", 26379, "NOAUTH Authentication required.\nNOAUTH Authentication required.\n"
    )
    cluster.server(1, "master")
    assert "replicaof redis-1.redis" in cluster.start("redis-0")


def test_a_server_with_a_new_password_waits_for_no_one_with_the_old(cluster: ScriptedRedis) -> None:
    for number in range(2):
        cluster.refusing(number)
    assert "replicaof" not in cluster.start("redis-2")
    cluster.server(2, "master")
    assert "replicaof redis-2.redis" in cluster.start("redis-1")


def test_a_sentinel_starts_on_the_master_others_name_and_keeps_what_it_wrote(cluster: ScriptedRedis) -> None:
    cluster.server(1, "master")
    first = cluster.start("redis-sentinel-0")
    assert "sentinel monitor synapse redis-1.redis.matrix.svc.cluster.local 6379 2" in first
    assert first.index("resolve-hostnames yes") < first.index("sentinel monitor")
    cluster.server(2, "master")
    assert cluster.start("redis-sentinel-0") == first
