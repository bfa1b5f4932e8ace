"""Rules about stopping: what a program has begun it may end, and nobody is led to a pod that has stopped listening."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from model.rollout.invariants.stack import RenderedWorkload, Stack, called

# Seconds that a program may take from its signal to stop on, by component and container. Others take `_USUAL`.
_USUAL = 10
TAKES: Mapping[str, int] = {
    # Requests under way, among them long polls of half a minute, and what waits to be written.
    "synapse/synapse": 30,
    # Uploads under way.
    "seaweedfs/filer": 30,
    "minio/minio": 30,
    # Writes under way, and the indices of all volumes.
    "seaweedfs-volumes/volume": 30,
    "redis/sentinel": 5,
}
# Seconds that a command before the stop may take, by component and container.
COMMANDS: Mapping[str, int] = {
    # A master asks itself and each of three Sentinels for 3 s at most, and waits 15 s for its successor.
    "redis/redis": 27,
    # Until long polls of half a minute have ended.
    "contour/envoy": 60,
    "contour/shutdown-manager": 60,
}
# Containers of several pods behind a Service that stop listening at once, and why nobody minds.
ABRUPT: Mapping[str, str] = {
    "cert-manager/cert-manager-webhook": "the API server asks it of what is applied, and a rollout applies again",
    "cloudnative-pg/manager": "the API server asks it of what is applied, and a rollout applies again",
    "contour/contour": "Envoy keeps the routes that it has, and connects to another",
    "metrics-server/metrics-server": "an autoscaler that learns nothing changes nothing, and asks again",
    "redis/sentinel": "clients know every Sentinel by name, and ask the next",
    "redis-proxy/haproxy": "Synapse's connections last for ever: it makes new ones, until it has one",
    "seaweedfs/filer": "Synapse's S3 client tries again",
    "minio/minio": "Synapse's S3 client tries again",
    "seaweedfs-volumes/master": "gateways and volume servers know every master by name, and ask the next",
    "ketesa/ketesa": "files for an administrator, who loads them again",
}
# Where programs say themselves how long they wait before they stop listening, and for how long they then end.
_BEFORE = re.compile(r"^-preStopSeconds=(\d+)$")
_HARD_STOP = re.compile(r"^\s*hard-stop-after\s+(\d+)s\s*$", re.MULTILINE)
_KUBERNETES_OWN = 30
# What PostgreSQL's operator assumes where nobody says it, and what a server needs to write all it has in memory.
_STOP_DELAY, _SMART, _CHECKPOINT = 1800, 180, 60


def time_to_stop(stack: Stack) -> Iterator[str]:
    """A pod is given as long as what happens before its stop and its programs take; one that keeps data says so."""
    for workload in stack.workloads:
        given = workload.pod.get("terminationGracePeriodSeconds")
        if not workload.lasting:
            continue
        if given is None and workload.manifest["spec"].get("volumeClaimTemplates"):
            yield f"{workload.name}: keeps data, and does not say how long it may take to stop"
        for container in workload.containers:
            needed = _before(workload, container) + _takes(stack, workload, container)
            if (_KUBERNETES_OWN if given is None else given) < needed:
                yield f"{workload.name}: {container['name']} takes {needed} s to stop, and is killed before"
    for component, manifest in stack.of("Cluster"):
        spec = manifest["spec"]
        if spec.get("stopDelay", _STOP_DELAY) - spec.get("smartShutdownTimeout", _SMART) < _CHECKPOINT:
            yield f"{called(component, manifest)}: has less than {_CHECKPOINT} s to stop once it lets clients go"


def draining(stack: Stack) -> Iterator[str]:
    """Who is asked and has others beside it listens until nobody is led to it any more, or nobody minds."""
    for workload in stack.workloads:
        for container in workload.containers if _is_one_of_several(workload) else ():
            minded = _key(workload, container) not in ABRUPT and not _drains(container)
            if minded and _is_asked(stack, workload, container):
                yield f"{workload.name}: {container['name']} stops listening while a Service still leads to it"


def _key(workload: RenderedWorkload, container: Mapping[str, Any]) -> str:
    return f"{workload.component.name}/{container['name']}"


def _is_one_of_several(workload: RenderedWorkload) -> bool:
    return workload.manifest["kind"] == "DaemonSet" or (workload.lasting and workload.replicas > 1)


def _is_asked(stack: Stack, workload: RenderedWorkload, container: Mapping[str, Any]) -> bool:
    """Return whether a Service leads to a port of the container, or its node's own address does."""
    ports = container.get("ports", ())
    known = {port.get("name") for port in ports} | {port["containerPort"] for port in ports}
    if any("hostPort" in port for port in ports):
        return True
    for _, service in stack.of("Service"):
        selector = service["spec"].get("selector")
        if selector and service["metadata"].get("namespace", "") == workload.namespace:
            targets = {port.get("targetPort", port["port"]) for port in service["spec"].get("ports", ())}
            if workload.labels.items() >= selector.items() and targets & known:
                return True
    return False


def _drains(container: Mapping[str, Any]) -> bool:
    before = (container.get("lifecycle") or {}).get("preStop")
    return bool(before) or any(_BEFORE.match(str(text)) for text in container.get("args", ()))


def _before(workload: RenderedWorkload, container: Mapping[str, Any]) -> int:
    """Return the seconds between the pod's end being decided and the program's signal to stop listening."""
    before = (container.get("lifecycle") or {}).get("preStop") or {}
    own = sum(int(found[1]) for text in container.get("args", ()) if (found := _BEFORE.match(str(text))))
    asleep = int((before.get("sleep") or {}).get("seconds", 0))
    return own + (asleep if "sleep" in before or not before else COMMANDS.get(_key(workload, container), _USUAL))


def _takes(stack: Stack, workload: RenderedWorkload, container: Mapping[str, Any]) -> int:
    """Return the seconds that a program may take to stop: what its own configuration says, or what is known of it."""
    mounted = {mount["name"] for mount in container.get("volumeMounts", ())}
    said = [
        int(seconds)
        for volume in workload.pod.get("volumes", ())
        if volume["name"] in mounted
        for text in _texts(stack, workload.namespace, volume)
        for seconds in _HARD_STOP.findall(text)
    ]
    return max(said, default=TAKES.get(_key(workload, container), _USUAL))


def _texts(stack: Stack, namespace: str, volume: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a volume mounts of a ConfigMap or a Secret."""
    names = {"ConfigMap": (volume.get("configMap") or {}).get("name")}
    names["Secret"] = (volume.get("secret") or {}).get("secretName")
    for kind, name in names.items():
        manifest = stack.find(kind, namespace, name) if name else None
        for part in ("data", "stringData"):
            yield from map(str, ((manifest or {}).get(part) or {}).values())
