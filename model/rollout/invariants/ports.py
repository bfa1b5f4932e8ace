"""Rules about ports: named, there, and known to ports.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from model.matrix.pod_words import receives
from model.rollout.invariants.stack import RenderedWorkload, Stack, called
from model.site.components import POD_LABEL
from model.site.rows import Row

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_ASKING = ("httpGet", "tcpSocket", "grpc")
# What publishers call a port for metrics.
_METRICS = ("metrics", "http-metrics")


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
            for kind in _PROBES:
                probe = container.get(kind) or {}
                asked = (probe.get("httpGet") or probe.get("tcpSocket") or {}).get("port")
                known = {port.get("name") for port in container.get("ports", ())}
                known |= {port["containerPort"] for port in container.get("ports", ())}
                if asked is not None and asked not in known:
                    yield f"{workload.name}: {kind} of {container['name']} asks {asked}, no port of it"


def matrix(stack: Stack) -> Iterator[str]:
    """Every port of a pod, and every port of a Service, is open to somebody: a row that holds here leads to it."""
    for port in unled(stack):
        yield f"{port.place}: no row of ports.yaml leads to {port.word}:{port.number}"


class UnledPort(NamedTuple):
    """A port that no row leads to: where it is declared, and by which word and number a row would name it."""

    place: str
    word: str
    number: int


def unled(stack: Stack) -> Iterator[UnledPort]:
    """
    Yield the ports of pods and Services that no row that holds for the site leads to.

    A port that probes ask needs none: a node always reaches its own pods. Nor does the port for metrics that a
    publisher declares, where the row that leads to it waits for monitoring: until then it is closed.
    """
    rows = _pod_rows(stack.site.active_rows)
    for workload in stack.workloads:
        word = workload.labels.get(POD_LABEL, "")
        for container in workload.all_containers:
            probed = _probed(container)
            for port in container.get("ports", ()):
                number, name = int(port["containerPort"]), port.get("name")
                theirs = workload.component.upstream is not None and name in _METRICS
                known = _pod_rows(stack.site.rows) if theirs else rows
                if not ({name, number} & probed or _led_to(known, word, number, port)):
                    yield UnledPort(f"{workload.name}: {container['name']}", word, number)
    for component, manifest in stack.of("Service"):
        for workload in _behind(stack, manifest):
            word = workload.labels.get(POD_LABEL, "")
            for port in manifest["spec"].get("ports", ()):
                target = _port(workload, port.get("targetPort", port["port"]))
                if target is not None and not _led_to(rows, word, target, port):
                    yield UnledPort(called(component, manifest), word, target)


def _pod_rows(rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(row for row in rows if row.plane == "pod")


def _probed(container: Mapping[str, Any]) -> set[object]:
    """Return what a container's probes ask: names and numbers of ports."""
    probes = [container.get(kind) or {} for kind in _PROBES]
    return {place["port"] for probe in probes for kind in _ASKING if (place := probe.get(kind)) and "port" in place}


def _led_to(rows: Sequence[Row], word: str, number: int, port: Mapping[str, Any]) -> bool:
    protocol = str(port.get("protocol", "TCP")).lower()
    return any(
        receives(row, word) and row.protocol == protocol and any(low <= number <= high for low, high in row.intervals)
        for row in rows
    )


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
