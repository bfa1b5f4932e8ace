"""By what an object of the cluster is known, whatever version of its kind is spoken of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """Group, kind, namespace (empty for objects of the whole cluster) and name."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    def subject(self, component: str) -> str:
        """Return what a report calls it."""
        return f"{component}/{self.kind}/{self.namespace or '-'}/{self.name}"

    @property
    def word(self) -> str:
        """What a person names it by, so that no other is meant: `Kind/namespace/name`, or `Kind/name`."""
        return "/".join(filter(None, (self.kind, self.namespace, self.name)))

    def named_by(self, word: str) -> bool:
        """Tell whether a person means it by `Kind/name` or `Kind/namespace/name`."""
        return word in (f"{self.kind}/{self.name}", f"{self.kind}/{self.namespace}/{self.name}")


def key_of(manifest: Mapping[str, Any]) -> ObjectKey:
    """Return a manifest's key."""
    meta = manifest["metadata"]
    group = manifest["apiVersion"].rpartition("/")[0]
    return ObjectKey(group, manifest["kind"], meta.get("namespace") or "", meta["name"])
