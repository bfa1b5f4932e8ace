"""Rules about pods: without rights, bounded, probed with patience, apart from their like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from model.rollout.invariants.stack import RenderedWorkload, Stack

# Pods that need what others must not have, by their container, and why.
PRIVILEGED: Mapping[str, str] = {}
# Containers that nothing can be asked, and why.
UNPROBED: Mapping[str, str] = {
    "media-cache": "opens no port and keeps no state; a volume that it does not keep small ends the pod",
    "cert-manager-cainjector": "opens no port in every version; what it does is seen in the webhook configurations",
    "shutdown-manager": "Envoy's own stop waits for it; were it killed, Envoy would be cut off from its clients",
}
_HOSTNAME = "kubernetes.io/hostname"
_DIGEST = re.compile(r":[A-Za-z0-9_][A-Za-z0-9_.-]*@sha256:[0-9a-f]{64}$")
# A busy or waiting process must not be taken for a dead one; a start takes long where the whole stack starts at once.
_PATIENCE = 30
_STARTING = 60


def rights(stack: Stack) -> Iterator[str]:
    """No pod has rights on its node, a writable root or a user that is root."""
    for workload in stack.workloads:
        pod = workload.pod
        for word in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.get(word):
                yield f"{workload.name}: {word}"
        if any("hostPath" in volume for volume in pod.get("volumes", ())):
            yield f"{workload.name}: mounts a folder of its node"
        given = pod.get("securityContext") or {}
        if not isinstance(given.get("runAsUser"), int) or not given["runAsUser"]:
            yield f"{workload.name}: says no user but root"
        if given.get("runAsNonRoot") is not True:
            yield f"{workload.name}: lacks runAsNonRoot"
        if (given.get("seccompProfile") or {}).get("type") != "RuntimeDefault":
            yield f"{workload.name}: lacks the runtime's filter of system calls"
        for container in workload.all_containers:
            if container["name"] not in PRIVILEGED:
                yield from _container_rights(workload, container)


def _container_rights(workload: RenderedWorkload, container: Mapping[str, Any]) -> Iterator[str]:
    given, name = container.get("securityContext") or {}, f"{workload.name}: {container['name']}"
    if given.get("privileged") or given.get("allowPrivilegeEscalation") is not False:
        yield f"{name} may gain privileges"
    if given.get("readOnlyRootFilesystem") is not True:
        yield f"{name} may write to its root"
    capabilities = given.get("capabilities") or {}
    if capabilities.get("drop") != ["ALL"] or set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
        yield f"{name} keeps capabilities"
    if given.get("runAsUser") == 0 or given.get("runAsNonRoot") is False:
        yield f"{name} runs as root"


def bounds(stack: Stack) -> Iterator[str]:
    """Every container asks for CPU and memory, and may not use more memory than it says."""
    for workload in stack.workloads:
        for container in workload.all_containers:
            given = container.get("resources") or {}
            for part, word in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
                if word not in (given.get(part) or {}):
                    yield f"{workload.name}: {container['name']} says no {part}.{word}"


def probes(stack: Stack) -> Iterator[str]:
    """Every lasting container is asked whether it is ready and alive, and is not killed for being slow."""
    for workload in stack.workloads:
        if not workload.lasting:
            continue
        for container in workload.containers:
            if container["name"] in UNPROBED:
                continue
            name = f"{workload.name}: {container['name']}"
            for kind in ("readinessProbe", "livenessProbe"):
                if not container.get(kind):
                    yield f"{name} has no {kind}"
            alive = container.get("livenessProbe") or {}
            if alive and alive.get("periodSeconds", 10) * alive.get("failureThreshold", 3) < _PATIENCE:
                yield f"{name} is killed after less than {_PATIENCE} s of silence"
            begins = container.get("startupProbe") or alive
            if begins and _patience_of(begins) < _STARTING:
                yield f"{name} is killed when it has not started within {_STARTING} s"
            if alive and alive.get("timeoutSeconds", 1) < 2:
                yield f"{name} is given less than 2 s to answer whether it lives"


def _patience_of(probe: Mapping[str, int]) -> int:
    """Return for how many seconds a probe may fail before the container is killed."""
    return probe.get("initialDelaySeconds", 0) + probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)


def images(stack: Stack) -> Iterator[str]:
    """Every image is named by tag and digest, and not pulled again where it is."""
    for part in stack.components:
        for image in part.images:
            if not _DIGEST.search(image):
                yield f"{part.name}: the image {image} has no tag and digest"
    for workload in stack.workloads:
        for container in workload.all_containers:
            if container.get("imagePullPolicy", "IfNotPresent") != "IfNotPresent":
                yield f"{workload.name}: {container['name']} pulls its image though it is there"


def budgets(stack: Stack) -> Iterator[str]:
    """A pool of two or more loses one pod at a time to whoever drains nodes, and a single one can be drained."""
    for workload in stack.workloads:
        if workload.manifest["kind"] not in ("Deployment", "StatefulSet"):
            continue
        mine = [
            budget["spec"]
            for _, budget in stack.of("PodDisruptionBudget")
            if budget["metadata"].get("namespace") == workload.namespace
            and workload.labels.items() >= budget["spec"]["selector"]["matchLabels"].items()
        ]
        if workload.replicas > 1 and not mine:
            yield f"{workload.name}: {workload.replicas} pods and no budget"
        if len(mine) > 1:
            yield f"{workload.name}: two budgets: nothing could be drained"
        for spec in mine:
            if spec.get("maxUnavailable") == 0 or spec.get("minAvailable") == workload.fewest:
                yield f"{workload.name}: its budget lets no pod go"


def spread(stack: Stack) -> Iterator[str]:
    """Two pods of a pool are not lost with one node; and each says on which nodes it belongs."""
    for workload in stack.workloads:
        affinity = workload.pod.get("affinity") or {}
        if not affinity.get("nodeAffinity") and not workload.pod.get("nodeSelector"):
            yield f"{workload.name}: does not say on which nodes its pods belong"
        if workload.manifest["kind"] in ("Deployment", "StatefulSet") and workload.replicas > 1:
            keys = {term.get("topologyKey") for term in _apart(affinity, workload.labels)}
            keys |= {spread.get("topologyKey") for spread in workload.pod.get("topologySpreadConstraints", ())}
            if _HOSTNAME not in keys:
                yield f"{workload.name}: nothing keeps its {workload.replicas} pods on different nodes"


def _apart(affinity: Mapping[str, Any], labels: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """Yield the terms by which pods keep away from their like."""
    apart = affinity.get("podAntiAffinity") or {}
    terms = [
        *apart.get("requiredDuringSchedulingIgnoredDuringExecution", ()),
        *(term["podAffinityTerm"] for term in apart.get("preferredDuringSchedulingIgnoredDuringExecution", ())),
    ]
    for term in terms:
        wanted = (term.get("labelSelector") or {}).get("matchLabels") or {}
        if wanted and labels.items() >= wanted.items():
            yield term
