"""Which processes share a secret: the pods that mount a Secret which holds it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from model.kubernetes.manifests import Manifest
from model.rollout.pod_sources import pod_sources
from model.rollout.rendered import RenderedComponent, SecretRef, pod_template, secrets_in

_SCALABLE = ("Deployment", "StatefulSet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharer:
    """
    A workload of a component that shares a secret; `least`: how many of it there are at least where load decides, else
    None.
    """

    component: str
    manifest: Manifest
    least: int | None = None

    @property
    def name(self) -> str:
        """What the cluster calls it."""
        return str(self.manifest["metadata"]["name"])


def sharers(rendered: Iterable[RenderedComponent], refs: Collection[SecretRef]) -> tuple[Sharer, ...]:
    """Return the workloads whose pods mount one of these values, in the order in which they are applied."""
    parts = [(part.name, found) for part in rendered for found in part.objects]
    objects = [found for _, found in parts]
    holding = {
        (_namespace(found), found["metadata"]["name"])
        for found in objects
        if found["kind"] == "Secret" and set(secrets_in(found)) & set(refs)
    }
    return tuple(
        Sharer(component=component, manifest=found, least=_least(objects, found))
        for component, found in parts
        if found["kind"] in _SCALABLE and holding & _mounted(found)
    )


def _mounted(workload: Manifest) -> set[tuple[str, str]]:
    template = pod_template(workload) or {}
    found = pod_sources(template["spec"])
    return {(_namespace(workload), source.name) for source in found if source.kind == "Secret"}


def _least(objects: Sequence[Manifest], workload: Manifest) -> int | None:
    for found in objects:
        if found["kind"] == "HorizontalPodAutoscaler" and _namespace(found) == _namespace(workload):
            target = found["spec"]["scaleTargetRef"]
            if (target["kind"], target["name"]) == (workload["kind"], workload["metadata"]["name"]):
                return int(found["spec"]["minReplicas"])
    return None


def _namespace(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("namespace") or "")
