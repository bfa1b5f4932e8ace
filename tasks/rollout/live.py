"""Objects as they are in the cluster: each kind is listed once, whoever is not among those is asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TYPE_CHECKING

from model.errors import KubernetesError, ObjectMissing
from model.kubernetes.manifests import Manifest
from model.rollout.inventory import LABEL, NAMESPACE, ComponentInventory, from_manifest
from model.rollout.keys import ObjectKey, key_of

if TYPE_CHECKING:
    from remote.kube import Cluster

WORKERS = 8
# The label that every object has which the rollout declares.
OURS = "app.kubernetes.io/managed-by=matrix-fleet"
# So long what was listed is taken for what is there.
_FRESH_SECONDS = 30.0


class LiveObjects:
    """What the cluster holds of the rollout's objects, as it was when it was asked."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._known: dict[ObjectKey, Manifest] = {}
        self._since = monotonic()

    def learn(self, manifests: Iterable[Manifest]) -> None:
        """List every kind of these manifests; kinds that the cluster does not know have no objects."""
        kinds = {(manifest["apiVersion"], manifest["kind"]): manifest for manifest in manifests}
        self._since = monotonic()
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="api") as pool:
            for found in pool.map(self._listed, kinds.values()):
                self._known |= {key_of(live): live for live in found}

    @property
    def fresh(self) -> Mapping[ObjectKey, Manifest]:
        """What was listed, if that was a moment ago: a run that waited meanwhile has to look again."""
        return self._known if monotonic() - self._since < _FRESH_SECONDS else {}

    def find(self, manifest: Manifest) -> Manifest | None:
        """Return the object, None where there is none. Raises `ObjectMissing` where its kind is unknown."""
        known = self._known.get(key_of(manifest))
        return known if known is not None else self._cluster.find(self._cluster.path(manifest))

    def _listed(self, manifest: Manifest) -> list[Manifest]:
        try:
            path = self._cluster.collection(manifest)
        except ObjectMissing:
            return []
        return self._cluster.list(path, labels=OURS)


def inventories(cluster: Cluster) -> dict[str, ComponentInventory]:
    """Return what earlier rollouts kept, by component; raises `KubernetesError` where it cannot be read."""
    try:
        found = cluster.list(f"/api/v1/namespaces/{NAMESPACE}/configmaps", labels=LABEL)
        kept = [from_manifest(manifest) for manifest in found]
    except (ValueError, KeyError) as error:
        step = f"look at `kubectl -n {NAMESPACE} get configmaps -l {LABEL}`; one that is broken may be deleted"
        raise KubernetesError("controller", "inventory of the rollout", f"cannot be read: {error}", step) from error
    return {inventory.component: inventory for inventory in kept}
