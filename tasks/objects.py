"""Make objects in the cluster hold what their manifests say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from model.errors import KubernetesError
from model.kubernetes.labels import plan
from model.kubernetes.manifests import Manifest, holds
from model.kubernetes.nodepatch import NodePatch
from model.kubernetes.waves import waves
from model.site.site import Site
from remote.facts.cluster import observe_nodes

if TYPE_CHECKING:
    from remote.kube import Cluster

A = TypeVar("A")
B = TypeVar("B")
_WORKERS = 8
_ESTABLISHED_SECONDS = 30.0
_CONFLICT = 409
_TRIES = 5


def enforce(cluster: Cluster, manifests: Iterable[Manifest], *, dry_run: bool) -> tuple[str, ...]:
    """
    Apply manifests, what others need first; return how the cluster changed or, in a dry run, would change.

    Raises `KubernetesError`.
    """
    lines: list[str] = []
    for wave in waves(list(manifests), lambda manifest: str(manifest["kind"])):
        lines += [
            line
            for changes in _parallel(lambda manifest: cluster.apply(manifest, dry_run=dry_run).lines, wave)
            for line in changes
        ]
        if not dry_run:
            for definition in (manifest for manifest in wave if manifest["kind"] == "CustomResourceDefinition"):
                _await_established(cluster, definition)
    return tuple(lines)


def enforce_nodes(
    cluster: Cluster, plan: Callable[[Cluster], Sequence[NodePatch]], *, dry_run: bool
) -> tuple[str, ...]:
    """
    Carry out what `plan` says of the nodes as they are; where a node changes meanwhile, it is asked again. Return what
    changed, or would.
    """
    lines: list[str] = []
    for attempt in range(_TRIES):
        patches = plan(cluster)
        if dry_run or not patches:
            return (*lines, *(line for patch in patches for line in patch.lines))
        try:
            for changes in _parallel(lambda patch: _patch(cluster, patch), patches):
                lines += changes
        except KubernetesError as error:
            if error.status != _CONFLICT or attempt == _TRIES - 1:
                raise
        else:
            break
    return tuple(lines)


def _patch(cluster: Cluster, patch: NodePatch) -> tuple[str, ...]:
    cluster.patch(f"/api/v1/nodes/{patch.name}", patch.body)
    return patch.lines


def _await_established(cluster: Cluster, definition: Manifest) -> None:
    name = definition["metadata"]["name"]
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"

    def established(seen: list[Manifest]) -> bool:
        return any(holds(candidate, "Established") for candidate in seen)

    cluster.wait(path, established, f"the kind of {name} to be served", _ESTABLISHED_SECONDS)


def _parallel(function: Callable[[A], B], items: Sequence[A]) -> list[B]:
    with ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="api") as pool:
        return list(pool.map(function, items))


def enforce_labels(cluster: Cluster, site: Site, *, dry_run: bool) -> tuple[str, ...]:
    """Bring labels and taints to what the site says and return what changed, or would; others' are left alone."""
    return enforce_nodes(cluster, lambda asked: plan(site, observe_nodes(asked)), dry_run=dry_run)
