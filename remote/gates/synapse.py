"""Is every Synapse process of the plan there, of the same version, and connected to the others?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from apps.message_probe.wire import Answer, Connection, Origin, Unanswered
from model.errors import FleetError, SecretsUnreadable
from model.report.outcome import Status
from model.rollout.synapse.processes import HEALTH_PORT, MAIN_PORT, WORKER_PORT, processes
from model.rollout.values.haproxy import synapse_version
from remote.gates.gate import GateContext, GateResult, concluded
from remote.gates.pod import GatedPod, pods_of
from remote.gates.redis import SERVER, server

NAMESPACE = "matrix"
_VERSION = re.compile(r'^synapse_build_info\{[^}]*version="([^" ]+)', re.M)
_NEXT = "look at the processes' logs, and run the gate `redis`"


@dataclass(frozen=True, slots=True, kw_only=True)
class SynapseProcess:
    """One process as it answers: `version` by its own metrics, `serves` where its listener for clients answers."""

    name: str
    where: str
    ready: bool = True
    version: str = ""
    serves: bool = False
    failure: str = ""


def run(context: GateContext) -> GateResult:
    """
    Ask every process itself, and Redis's master how many listen to the others' news.

    Raises `SecretsUnreadable` where Redis's password cannot be had and nothing else is wrong.
    """
    running = processes(context.site.settings, NAMESPACE)
    pods = (*pods_of(context, "synapse"), *pods_of(context, "synapse-worker"))
    found = [look(pod, MAIN_PORT if pod.name == running.main.name else WORKER_PORT) for pod in pods]
    planned = tuple(process.name for process in running.all)
    hidden: SecretsUnreadable | None = None
    try:
        listening, silence = subscribed(context)
    except SecretsUnreadable as error:
        listening, silence, hidden = len(planned), "", error
    result = judged(planned, found, synapse_version(context.site), listening, silence)
    if hidden is not None and result.status is Status.OK:
        raise hidden
    return result


def look(pod: GatedPod, port: int) -> SynapseProcess:
    """Ask a process its version, and for something that every listener for clients answers."""
    try:
        metrics = _ask(pod, HEALTH_PORT, "/_synapse/metrics")
        served = _ask(pod, port, "/_matrix/client/versions")
    except Unanswered as error:
        return SynapseProcess(name=pod.name, where=pod.where, ready=pod.ready, failure=f"does not answer: {error}")
    version = _VERSION.search(metrics.body.decode(errors="replace"))
    return SynapseProcess(
        name=pod.name, where=pod.where, ready=pod.ready, version=version[1] if version else "",
        serves=served.status == 200 and "versions" in served.document,
    )  # fmt: skip


def subscribed(context: GateContext) -> tuple[int, str]:
    """
    Return how many connections listen to Synapse's news at Redis's master, or why nobody can tell. Raises
    `SecretsUnreadable`.
    """
    from redis import RedisError

    from remote.gates.redis_client import client

    try:
        password = context.secret("redis", "password").decode()
        for pod in pods_of(context, "redis"):
            if server(pod, password).role == "master":
                with client(pod.own(SERVER), password) as speaking:
                    return int(
                        dict(speaking.pubsub_numsub(context.site.settings.domain))[context.site.settings.domain]
                    ), ""
    except SecretsUnreadable:
        # That says nothing of Redis.
        raise
    except (RedisError, OSError, KeyError, FleetError) as error:
        return 0, f"Redis does not tell who listens: {error}"
    return 0, "Redis does not tell who listens: it has no master"


def judged(
    planned: Sequence[str], found: Sequence[SynapseProcess], version: str, listening: int, silence: str = ""
) -> GateResult:
    """Return what all processes come to."""
    there = {process.name for process in found}
    findings = [f"{name}: is planned and not there" for name in planned if name not in there]
    if not found:
        findings.append("no process of Synapse runs")
    for process in found:
        if process.failure:
            findings.append(f"{process.where}: {process.failure}")
            continue
        if not process.ready:
            findings.append(f"{process.where}: is not ready")
        if not process.serves:
            findings.append(f"{process.where}: its listener for clients does not answer as Synapse does")
        if process.version != version:
            findings.append(f"{process.where}: is of version {process.version or 'unknown'}, and {version} is wanted")
    if silence:
        findings.append(silence)
    elif listening < len(planned):
        findings.append(f"{listening} processes listen to the others' news at Redis's master, and {len(planned)} must")
    versions = Counter(process.version for process in found)
    figures = {"processes": float(len(found)), "versions": float(len(versions)), "subscribed": float(listening)}
    proven = f"{len(found)} processes of version {version} serve and listen to each other"
    return concluded(findings, proven, figures=figures, next_step=_NEXT)


def _ask(pod: GatedPod, port: int, path: str) -> Answer:
    with Connection(Origin(name="localhost", port=80, dial=pod.own(port))) as connection:
        return connection.ask("GET", path, seconds=20.0)
