"""The lease by which two rollouts of one cluster exclude each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from model.kubernetes.manifests import Manifest

NAMESPACE = "kube-system"
NAME = "matrix-fleet-rollout"
PATH = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
SECONDS = 30


@dataclass(frozen=True, slots=True)
class LeaseHolder:
    """Who has it, and until when; `version` is the object's, so that nobody overwrites somebody else's."""

    holder: str
    until: datetime
    version: str

    def free(self, now: datetime) -> bool:
        """Tell whether nobody holds it any more."""
        return not self.holder or self.until <= now


def read(manifest: Manifest) -> LeaseHolder:
    """Return who holds a lease."""
    spec = manifest.get("spec") or {}
    since = spec.get("renewTime")
    seconds = timedelta(seconds=spec.get("leaseDurationSeconds") or SECONDS)
    until = datetime.fromisoformat(since) + seconds if since else datetime.min.replace(tzinfo=UTC)
    return LeaseHolder(spec.get("holderIdentity") or "", until, manifest["metadata"].get("resourceVersion", ""))


def held(holder: str, now: datetime, version: str = "", *, taken: bool = True) -> dict[str, Any]:
    """Return the lease as its holder writes it; `version` of the object that it replaces."""
    stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    times = {"renewTime": stamp} | ({"acquireTime": stamp} if taken else {})
    meta = {"name": NAME, "namespace": NAMESPACE} | ({"resourceVersion": version} if version else {})
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": meta,
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": SECONDS, **times},
    }
