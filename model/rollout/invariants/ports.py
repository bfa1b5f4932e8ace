"""Rules about ports: named, there, and known to ports.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model.rollout.invariants.stack import RenderedWorkload, Stack, called
from model.site.components import POD_LABEL


def port_names(stack: Stack) -> Iterator[str]:
    """Every port has a name, no two of a pod the same."""
    for workload in stack.workloads:
        ports = [port for container in workload.all_containers for port in container.get("ports", ())]
        for port in ports:
            if not port.get("name"):
                yield f"{workload.name}: port {port['containerPort']} has no name"
        given = [port.get("name") for port in ports]
        for name in sorted({name for name in given if name and given.count(name) > 1}):
            yield f"{workload.name}: two ports are called {name}"
    for component, manifest in stack.of("Service"):
        for port in manifest["spec"].get("ports", ()):
            if not port.get("name"):
                yield f"{called(component, manifest)}: port {port['port']} has no name"


def targets(stack: Stack) -> Iterator[str]:
    """Every port of a Service leads to a named port of the pods behind it."""
    for component, manifest in stack.of("Service"):
        for workload in _behind(stack, manifest):
            for port in manifest["spec"].get("ports", ()):
                if _port(workload, port.get("targetPort", port["port"])) is None:
                    target = port.get("targetPort", port["port"])
                    yield f"{called(component, manifest)}: {target} is no named port of {workload.name}"


def probes_meet_ports(stack: Stack) -> Iterator[str]:
    """A probe asks a port that its container has."""
    for workload in stack.workloads:
        for container in workload.all_containers:
            for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
                probe = container.get(kind) or {}
                asked = (probe.get("httpGet") or probe.get("tcpSocket") or {}).get("port")
                known = {port.get("name") for port in container.get("ports", ())}
                known |= {port["containerPort"] for port in container.get("ports", ())}
                if asked is not None and asked not in known:
                    yield f"{workload.name}: {kind} of {container['name']} asks {asked}, no port of it"


def matrix(stack: Stack) -> Iterator[str]:
    """Every port of a Service is open to somebody: a row of ports.yaml leads to it."""
    rows = [row for row in stack.site.rows if row.plane == "pod"]
    for component, manifest in stack.of("Service"):
        for workload in _behind(stack, manifest):
            word = workload.labels.get(POD_LABEL)
            for port in manifest["spec"].get("ports", ()):
                number = _port(workload, port.get("targetPort", port["port"]))
                if number is not None and not any(
                    word in row.pod_to and any(low <= number <= high for low, high in row.intervals) for row in rows
                ):
                    yield f"{called(component, manifest)}: no row of ports.yaml leads to {word}:{number}"


def _behind(stack: Stack, service: dict[str, Any]) -> Iterator[RenderedWorkload]:
    selector = service["spec"].get("selector")
    if selector:
        yield from stack.selected(service["metadata"].get("namespace", ""), selector)


def _port(workload: RenderedWorkload, target: int | str) -> int | None:
    """Return the number of a named port, or of one that has that number and a name."""
    for container in workload.containers:
        for port in container.get("ports", ()):
            if target in (port.get("name"), port["containerPort"]) and port.get("name"):
                return int(port["containerPort"])
    return None
