"""Does somebody stand behind every Service?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model.kubernetes.manifests import Manifest, name_of
from model.report.outcome import Status
from remote.gates.gate import GateContext, GateResult, concluded
from remote.gates.pods import expected, namespaces

_NEXT = "compare the Service's selector with its pods' labels, and look whether they are ready"
# Of one instance alone there is no other to read from.
_READERS = "postgresql-ro"


def run(context: GateContext) -> GateResult:
    """Look at every Service of the application's namespaces."""
    services: list[Manifest] = []
    slices: list[Manifest] = []
    for namespace in namespaces(context.site):
        services += context.cluster.list(f"/api/v1/namespaces/{namespace}/services")
        slices += context.cluster.list(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")
    return judged(services, slices, expected(context, ("Service",)), alone=_alone(context))


def judged(
    services: Sequence[Manifest], slices: Sequence[Manifest], wanted: Sequence[str] = (), *, alone: bool = False
) -> GateResult:
    """Return which Services are not there or have nobody behind them; `alone`: PostgreSQL has one instance."""
    chosen = [
        service for service in services if (service["spec"].get("selector") or {}) and not _excused(service, alone)
    ]
    if not chosen:
        return GateResult(status=Status.UNPROVEN, why="no Service of the application was seen", next_step="roll it out")
    there = {name_of({**service, "kind": "Service"}) for service in services}
    findings = [f"{name}: is not there" for name in wanted if name not in there]
    behind = 0
    for service in chosen:
        ready, waiting = _behind(service, slices)
        behind += ready
        if not ready:
            more = f"; {waiting} are not ready" if waiting else ""
            findings.append(f"{name_of({**service, 'kind': 'Service'})}: nobody stands behind it{more}")
    figures = {"services": float(len(chosen)), "endpoints": float(behind)}
    proven = f"somebody stands behind each of {len(chosen)} Services"
    return concluded(findings, proven, figures=figures, next_step=_NEXT)


def _behind(service: Manifest, slices: Sequence[Manifest]) -> tuple[int, int]:
    """Return how many endpoints of a Service are ready and how many are not; each pod counts once a family."""
    meta = service["metadata"]
    ready = waiting = 0
    for piece in slices:
        labels = piece["metadata"].get("labels") or {}
        if (piece["metadata"].get("namespace"), labels.get("kubernetes.io/service-name")) != (
            meta.get("namespace"),
            meta["name"],
        ):
            continue
        for endpoint in piece.get("endpoints") or ():
            conditions: Mapping[str, Any] = endpoint.get("conditions") or {}
            # A Service that publishes pods before they are ready calls all of them ready; serving tells the truth, save
            # of a pod that still serves and is about to end.
            if conditions.get("serving", conditions.get("ready")) is False or conditions.get("terminating"):
                waiting += 1
            else:
                ready += 1
    return ready, waiting


def _excused(service: Manifest, alone: bool) -> bool:
    return alone and service["metadata"]["name"] == _READERS


def _alone(context: GateContext) -> bool:
    for rendered in context.rendered:
        for manifest in rendered.objects:
            if manifest["kind"] == "Cluster" and manifest["metadata"]["name"] == "postgresql":
                return int(manifest["spec"]["instances"]) == 1
    return False
