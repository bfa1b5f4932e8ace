"""Do Redis's Sentinels agree on a master, does the proxy lead to it, and do the others follow?"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

from model.kubernetes.service_names import pod_name
from model.rollout.values.redis import MASTER_NAME
from remote.gates.gate import GateContext, GateResult, concluded
from remote.gates.pod import GatedPod, pods_of, ready_pods

if TYPE_CHECKING:
    from apps.message_probe.wire import Dial

SERVER, SENTINEL = 6379, 26379
_FOLLOWS_SECONDS = 5.0
_NEXT = "look at the logs of redis, redis-sentinel and redis-proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServer:
    """What one server says of itself; `named` are the names and addresses that others know it by."""

    where: str
    named: frozenset[str]
    role: str = ""
    follows: str = ""
    linked: bool = False
    followers: int = 0
    open: bool = False
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelWord:
    """What one Sentinel says: whom it names the master, and whether it could bring about an election."""

    where: str
    master: str = ""
    able: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyTrial:
    """What was written through one proxy, and read of it elsewhere."""

    where: str
    failure: str = ""
    on_master: bool = False
    followers: Mapping[str, bool] = field(default_factory=dict)


def run(context: GateContext) -> GateResult:
    """Ask every server and Sentinel, then write through each proxy and read at the master and at its followers."""
    password = context.secret("redis", "password").decode()
    word = context.secret("redis-sentinel", "password").decode()
    pods = pods_of(context, "redis")
    servers = {pod.name: server(pod, password) for pod in pods}
    sentinels = [sentinel(pod, word) for pod in pods_of(context, "redis-sentinel")]
    master = next((pod for pod in pods if servers[pod.name].role == "master"), None)
    followers = [pod for pod in pods if servers[pod.name].role == "slave"]
    trials = [
        _tried(proxy, master, followers, password) for proxy in ready_pods(context, "redis-proxy") if master is not None
    ]
    return judged(tuple(servers.values()), sentinels, trials, replicas(context))


def server(pod: GatedPod, password: str) -> RedisServer:
    """Ask a server what it is."""
    from redis import RedisError

    from remote.gates.redis_client import client

    named = frozenset({pod.name, pod_name(pod.name, "redis", "matrix"), *pod.addresses})
    unguarded = False
    try:
        unguarded = _unguarded(pod.own(SERVER))
        with client(pod.own(SERVER), password) as speaking:
            said = speaking.info("replication")
    except (RedisError, OSError) as error:
        return RedisServer(where=pod.where, named=named, open=unguarded, failure=_short(error))
    return RedisServer(
        where=pod.where, named=named, role=str(said.get("role", "")), follows=str(said.get("master_host", "")),
        linked=said.get("master_link_status") == "up", followers=int(said.get("connected_slaves", 0)), open=unguarded,
    )  # fmt: skip


def sentinel(pod: GatedPod, password: str) -> SentinelWord:
    """Ask a Sentinel whom it names."""
    from redis import RedisError

    from remote.gates.redis_client import client

    try:
        with client(pod.own(SENTINEL), password) as speaking:
            ask: Callable[..., Any] = speaking.execute_command
            named = ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME)
            able = ask("SENTINEL", "CKQUORUM", MASTER_NAME)
    except (RedisError, OSError) as error:
        return SentinelWord(where=pod.where, failure=_short(error))
    master = named[0] if isinstance(named, (list, tuple)) and named else ""
    return SentinelWord(where=pod.where, master=str(master), able=str(able))


def replicas(context: GateContext) -> dict[str, int]:
    """Return how many pods each StatefulSet of Redis has, as it is rendered."""
    return {
        str(found["metadata"]["name"]): int(found["spec"]["replicas"])
        for one in context.rendered
        for found in one.objects
        if found["kind"] == "StatefulSet" and one.name == "redis"
    }


def judged(
    servers: Sequence[RedisServer],
    sentinels: Sequence[SentinelWord],
    trials: Sequence[ProxyTrial],
    wanted: Mapping[str, int],
) -> GateResult:
    """Return what all of them together come to; `wanted` are the numbers of pods that are declared."""
    seen = {"redis": len(servers), "redis-sentinel": len(sentinels)}
    findings = [
        f"{seen[name]} of {number} pods of {name} are there"
        for name, number in wanted.items()
        if seen.get(name, number) < number
    ]
    findings += [*_of_servers(servers), *_of_sentinels(servers, sentinels), *_of_trials(trials)]
    masters = [found for found in servers if found.role == "master"]
    if not trials:
        findings.append("nothing was written through a proxy: there is no one master to look at")
    where = masters[0].where if masters else ""
    proven = (
        f"{where} is master by {len(sentinels)} Sentinels, {len(servers) - 1} follow, {len(trials)} proxies lead there"
    )
    figures = {"servers": float(len(servers)), "sentinels": float(len(sentinels)), "proxies": float(len(trials))}
    return concluded(findings, proven, figures=figures, next_step=_NEXT)


def _of_servers(servers: Sequence[RedisServer]) -> Iterator[str]:
    if not servers:
        yield "there is no pod of redis"
    yield from (f"{found.where}: does not answer: {found.failure}" for found in servers if found.failure)
    yield from (f"{found.where}: answers without a password" for found in servers if found.open)
    masters = [found for found in servers if found.role == "master"]
    if len(masters) != 1 and servers:
        yield f"{len(masters)} servers say they are the master: {', '.join(found.where for found in masters) or 'none'}"
    for found in servers:
        if found.role != "slave":
            continue
        if not found.linked:
            yield f"{found.where}: its link to the master {found.follows} is down"
        elif len(masters) == 1 and found.follows not in masters[0].named:
            yield f"{found.where}: follows {found.follows}, and {masters[0].where} is the master"


def _of_sentinels(servers: Sequence[RedisServer], sentinels: Sequence[SentinelWord]) -> Iterator[str]:
    if not sentinels:
        yield "there is no pod of redis-sentinel"
        return
    yield from (f"{found.where}: does not answer: {found.failure}" for found in sentinels if found.failure)
    for found in sentinels:
        if not found.failure and not found.able.startswith("OK"):
            yield f"{found.where}: could bring about no election: {found.able}"
    names = Counter(found.master for found in sentinels if found.master)
    if not names:
        yield "no Sentinel names a master"
        return
    (name, votes), *others = names.most_common()
    if votes * 2 <= len(sentinels):
        yield f"no majority of the Sentinels names one master: {dict(names)}"
    elif others:
        yield f"not all Sentinels name {name}: {dict(names)}"
    masters = [found for found in servers if found.role == "master"]
    if len(masters) == 1 and name not in masters[0].named:
        yield f"the Sentinels name {name}, and {masters[0].where} says it is the master"


def _of_trials(trials: Sequence[ProxyTrial]) -> Iterator[str]:
    for trial in trials:
        if trial.failure:
            yield f"{trial.where}: {trial.failure}"
        elif not trial.on_master:
            yield f"{trial.where}: what is written through it does not arrive at the master"
        yield from (
            f"{follower}: does not follow what is written" for follower, ok in trial.followers.items() if not ok
        )


def _tried(proxy: GatedPod, master: GatedPod, followers: Sequence[GatedPod], password: str) -> ProxyTrial:
    """Write a key that ends by itself, look for it where it must be, and take it away."""
    from redis import RedisError

    from remote.gates.redis_client import client

    key, value = f"matrix-fleet-gate:{secrets.token_hex(8)}", secrets.token_hex(8)
    try:
        with client(proxy.own(SERVER), password) as through:
            through.set(key, value, ex=60)
            if through.get(key) != value:
                return ProxyTrial(where=proxy.where, failure="what is written through it is not read through it")
            there = _has(master, password, key, value)
            follow = {follower.where: _has(follower, password, key, value) for follower in followers}
            through.delete(key)
    except (RedisError, OSError) as error:
        return ProxyTrial(where=proxy.where, failure=f"leads to no master: {_short(error)}")
    return ProxyTrial(where=proxy.where, on_master=there, followers=follow)


def _has(pod: GatedPod, password: str, key: str, value: str) -> bool:
    """Return whether a server has the key, or gets it soon."""
    from remote.gates.redis_client import client

    deadline = time.monotonic() + _FOLLOWS_SECONDS
    with client(pod.own(SERVER), password) as speaking:
        while speaking.get(key) != value:
            if time.monotonic() > deadline:
                return False
            Event().wait(0.1)
    return True


def _unguarded(dial: Dial) -> bool:
    from redis import AuthenticationError, ResponseError

    from remote.gates.redis_client import client

    try:
        with client(dial, "") as speaking:
            return bool(speaking.ping())
    except (ResponseError, AuthenticationError):
        return False


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
