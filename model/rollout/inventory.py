"""What a component put into the cluster, kept in the cluster itself: only that is ever pruned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from model.kubernetes.manifests import Manifest
from model.rollout.keys import ObjectKey

NAMESPACE = "matrix-fleet"
PREFIX = "matrix-fleet-inventory-"
LABEL = "matrix-fleet.io/inventory"
SITE_LABEL = "matrix-fleet.io/site"
# What nobody has seen for so long may have broken meanwhile, though nothing was declared anew.
PROOF_LASTS = timedelta(days=7)
_PROOF_TIME = "%Y-%m-%d %H:%M:%S UTC"
# Data, or the ground on which they lie: these go only where a person names them.
KEPT_KINDS = frozenset(
    {
        ("", "PersistentVolumeClaim"),
        ("", "PersistentVolume"),
        ("", "Namespace"),
        ("", "Secret"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("postgresql.cnpg.io", "Cluster"),
        ("postgresql.cnpg.io", "Database"),
        ("storage.k8s.io", "StorageClass"),
    }
)


@dataclass(frozen=True, slots=True)
class AppliedEntry:
    """An object as it was applied: its version, and the keyed hash of what was said of it."""

    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class GateProof:
    """When a gate was seen to be good (UTC, ISO), and of which state of its component and all that it needs."""

    at: str
    digest: str

    def holds(self, digest: str, now: datetime) -> bool:
        """Tell whether it still counts for a state: of that one, not too old, and not of a time to come."""
        try:
            age = now - datetime.strptime(self.at, _PROOF_TIME).replace(tzinfo=UTC)
        except ValueError:
            return False
        return self.digest == digest and timedelta(0) <= age <= PROOF_LASTS


def proof(digest: str, now: datetime) -> GateProof:
    """Return what is kept of a gate that was good just now."""
    return GateProof(f"{now.astimezone(UTC):{_PROOF_TIME}}", digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentInventory:
    """One component's part; `site` is the site that rolled it out."""

    component: str
    site: str = ""
    entries: Mapping[ObjectKey, AppliedEntry] = field(default_factory=dict)
    proofs: Mapping[str, GateProof] = field(default_factory=dict)

    def to_manifest(self) -> Manifest:
        """Return the object of the cluster that keeps it."""
        rows = [
            [key.group, key.kind, key.namespace, key.name, entry.version, entry.digest]
            for key, entry in sorted(self.entries.items())
        ]
        proofs = {gate: [proof.at, proof.digest] for gate, proof in sorted(self.proofs.items())}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": f"{PREFIX}{self.component}",
                "namespace": NAMESPACE,
                "labels": {
                    "app.kubernetes.io/managed-by": "matrix-fleet",
                    LABEL: self.component,
                    **({SITE_LABEL: self.site} if self.site else {}),
                },
            },
            "data": {
                "objects": "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n",
                "gates": json.dumps(proofs, indent=1) + "\n",
            },
        }


def from_manifest(manifest: Manifest) -> ComponentInventory:
    """Read what `to_manifest` wrote."""
    data = manifest.get("data") or {}
    entries = {
        ObjectKey(group, kind, namespace, name): AppliedEntry(version, digest)
        for group, kind, namespace, name, version, digest in json.loads(data.get("objects") or "[]")
    }
    proofs = {gate: GateProof(at, digest) for gate, (at, digest) in json.loads(data.get("gates") or "{}").items()}
    labels = manifest["metadata"]["labels"]
    return ComponentInventory(component=labels[LABEL], site=labels.get(SITE_LABEL, ""), entries=entries, proofs=proofs)


def may_go(key: ObjectKey, named: frozenset[str]) -> bool:
    """Tell whether an object that is rendered no longer may be deleted; data and their ground only where named."""
    return not is_kept(key) or any(map(key.named_by, named))


def may_be_replaced(key: ObjectKey, component: str, named: frozenset[str]) -> bool:
    """Tell whether an object may be deleted and made anew; a component's name means none of its data and ground."""
    return any(map(key.named_by, named)) or (component in named and not is_kept(key))


def is_kept(key: ObjectKey) -> bool:
    """Tell whether an object is data, or the ground on which they lie."""
    return (key.group, key.kind) in KEPT_KINDS
