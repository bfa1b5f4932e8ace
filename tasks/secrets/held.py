"""What a cluster holds of the site's secrets already."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import SecretBytes

from model.errors import SiteError

if TYPE_CHECKING:
    from remote.kube import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSecret:
    """A Secret of a cluster: its values by key, and since when it is there."""

    namespace: str
    name: str
    made: datetime
    values: Mapping[str, SecretBytes]


def held_secret(cluster: Cluster, namespace: str, name: str) -> HeldSecret | None:
    """Read a Secret; None where the cluster has none. Raises `KubernetesError`."""
    found = cluster.find(f"/api/v1/namespaces/{namespace}/secrets/{name}")
    if found is None:
        return None
    values = {}
    for key, text in (found.get("data") or {}).items():
        try:
            values[key] = SecretBytes(base64.b64decode(text, validate=True))
        except ValueError:
            raise SiteError(f"the cluster's Secret {namespace}/{name}: {key} is no base64") from None
    made = datetime.fromisoformat(found["metadata"]["creationTimestamp"])
    return HeldSecret(namespace=namespace, name=name, made=made, values=values)
