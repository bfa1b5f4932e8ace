"""The rendered components as one whole, with the questions that rules ask of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from model.kubernetes.manifests import Manifest, name_of
from model.rollout.rendered import RenderedComponent, pod_template
from model.site.components import Component
from model.site.site import Site

CLUSTER_WIDE = frozenset(
    {
        "Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "IngressClass", "StorageClass",
        "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ClusterIssuer", "PriorityClass",
        "PersistentVolume", "ClusterImageCatalog", "RuntimeClass", "APIService",
    }
)  # fmt: skip
LASTING = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


@dataclass(frozen=True, slots=True)
class RenderedWorkload:
    """
    An object that makes pods.

    `bounds` are the fewest and the most pods that an autoscaler lets there be; None where none changes their number.
    """

    component: Component
    manifest: Manifest
    template: Mapping[str, Any]
    bounds: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """Its kind, namespace and name."""
        return f"{self.component.name}: {name_of(self.manifest)}"

    @property
    def namespace(self) -> str:
        """Where its pods are."""
        return str(self.manifest["metadata"].get("namespace", ""))

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of its pods."""
        return self.template["metadata"].get("labels") or {}

    @property
    def pod(self) -> Mapping[str, Any]:
        """The specification of its pods."""
        spec: Mapping[str, Any] = self.template["spec"]
        return spec

    @property
    def containers(self) -> tuple[Mapping[str, Any], ...]:
        """Containers that run as long as the pod does."""
        return tuple(self.pod["containers"])

    @property
    def all_containers(self) -> tuple[Mapping[str, Any], ...]:
        """Every container, those that initialise the pod too."""
        return (*self.pod.get("initContainers", ()), *self.pod["containers"])

    @property
    def replicas(self) -> int:
        """How many pods it makes at most, as far as that is declared."""
        return self.bounds[1] if self.bounds else self._declared

    @property
    def fewest(self) -> int:
        """How many pods it makes at least, as far as that is declared."""
        return self.bounds[0] if self.bounds else self._declared

    @property
    def _declared(self) -> int:
        return int(self.manifest["spec"].get("replicas", 1)) if self.manifest["kind"] in LASTING else 1

    @property
    def lasting(self) -> bool:
        """Whether its pods are there for as long as it is."""
        return self.manifest["kind"] in LASTING


@dataclass(frozen=True)
class Stack:
    """All components of a site, rendered."""

    site: Site
    components: tuple[RenderedComponent, ...]

    @cached_property
    def objects(self) -> tuple[tuple[Component, Manifest], ...]:
        """Every object with its component."""
        return tuple((part.component, manifest) for part in self.components for manifest in part.objects)

    @cached_property
    def workloads(self) -> tuple[RenderedWorkload, ...]:
        """Every object that makes pods."""
        pairs = ((component, manifest, pod_template(manifest)) for component, manifest in self.objects)
        return tuple(
            RenderedWorkload(component, manifest, template, self._bounds.get(_target(manifest)))
            for component, manifest, template in pairs
            if template
        )

    @cached_property
    def _bounds(self) -> Mapping[tuple[str, str, str], tuple[int, int]]:
        """The fewest and the most pods of each workload that has an autoscaler."""
        found: dict[tuple[str, str, str], tuple[int, int]] = {}
        for _, scaler in self.of("HorizontalPodAutoscaler"):
            spec, namespace = scaler["spec"], scaler["metadata"].get("namespace", "")
            target = spec["scaleTargetRef"]
            found[target["kind"], namespace, target["name"]] = spec.get("minReplicas", 1), spec["maxReplicas"]
        return found

    @cached_property
    def by_kind(self) -> Mapping[str, tuple[tuple[Component, Manifest], ...]]:
        """The objects of each kind."""
        found: dict[str, list[tuple[Component, Manifest]]] = {}
        for component, manifest in self.objects:
            found.setdefault(manifest["kind"], []).append((component, manifest))
        return {kind: tuple(pairs) for kind, pairs in found.items()}

    def of(self, kind: str) -> tuple[tuple[Component, Manifest], ...]:
        """Return the objects of a kind."""
        return self.by_kind.get(kind, ())

    def find(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """Return an object, if a component has it."""
        for _, manifest in self.of(kind):
            meta = manifest["metadata"]
            if meta["name"] == name and (kind in CLUSTER_WIDE or meta.get("namespace") == namespace):
                return manifest
        return None

    def selected(self, namespace: str, labels: Mapping[str, str]) -> Iterator[RenderedWorkload]:
        """Yield the workloads of a namespace whose pods carry these labels."""
        for workload in self.workloads:
            if workload.namespace == namespace and workload.labels.items() >= labels.items():
                yield workload


def _target(manifest: Manifest) -> tuple[str, str, str]:
    """Return by what an autoscaler names a workload of its own namespace."""
    meta = manifest["metadata"]
    return manifest["kind"], meta.get("namespace", ""), meta["name"]


def called(component: Component, manifest: Manifest) -> str:
    """Return how a sentence names an object."""
    return f"{component.name}: {name_of(manifest)}"
