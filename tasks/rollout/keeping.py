"""A component's inventory, written into the cluster before and after its objects are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from model.kubernetes.manifests import Manifest
from model.rollout.inventory import NAMESPACE, AppliedEntry, ComponentInventory, GateProof
from model.rollout.keys import ObjectKey, key_of
from tasks.rollout.planning import DeclaredObject

if TYPE_CHECKING:
    from remote.kube import Cluster

_NAMESPACE: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


class InventoryKeeper:
    """
    Writes one component's inventory whenever it changes.

    Before the first write every object that will be ours is in it, its digest empty: a run that is killed leaves
    nothing behind that nobody knows of.
    """

    def __init__(self, cluster: Cluster, kept: ComponentInventory) -> None:
        self._cluster = cluster
        self.kept = kept

    def announce(self, declared: Sequence[DeclaredObject], written: frozenset[ObjectKey]) -> None:
        """Take note of what will be applied; of the objects that are written, what was said before no longer holds."""
        entries = dict(self.kept.entries)
        for entry in declared:
            key = key_of(entry.manifest)
            before = entries.get(key)
            if before is None or key in written:
                entries[key] = AppliedEntry(entry.manifest["apiVersion"], "")
        self._keep(replace(self.kept, entries=entries))

    def applied(self, declared: Sequence[DeclaredObject]) -> None:
        """Take note that all of it is as it was declared."""
        digests = {key_of(entry.manifest): entry for entry in declared}
        entries = {
            **self.kept.entries,
            **{key: AppliedEntry(entry.manifest["apiVersion"], entry.digest) for key, entry in digests.items()},
        }
        self._keep(replace(self.kept, entries=entries))

    def gone(self, keys: frozenset[ObjectKey]) -> None:
        """Take note of objects that were pruned; an inventory that holds nothing any more is deleted."""
        left = {key: entry for key, entry in self.kept.entries.items() if key not in keys}
        self._keep(replace(self.kept, entries=left))

    def proven(self, proofs: Mapping[str, GateProof]) -> None:
        """Take note of what gates have seen; a gate that is not among them is not proven."""
        self._keep(replace(self.kept, proofs=proofs))

    def _keep(self, changed: ComponentInventory) -> None:
        if changed == self.kept:
            return
        manifest = changed.to_manifest()
        if not changed.entries:
            self._cluster.delete(self._cluster.path(manifest))
        else:
            self._cluster.apply(manifest)
        self.kept = changed


def ensure_namespace(cluster: Cluster) -> None:
    """Make the namespace of inventories where it is not there."""
    path = cluster.path(_NAMESPACE)
    if cluster.find(path) is None:
        cluster.create(path.rpartition("/")[0], _NAMESPACE)
