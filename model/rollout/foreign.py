"""Fields of an object that a person added by hand beside what is declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from model.kubernetes.manifests import Manifest

# Field managers by which people write; controllers write in names of their own, and are left alone without a word.
_PEOPLE = ("kubectl", "k9s", "Mozilla", "Lens", "helm", "argocd")
# What `kubectl rollout restart` writes is meant to stay, and says when.
_QUIET = ("kubectl.kubernetes.io/last-applied-configuration",)


def foreign_fields(live: Manifest, wanted: Manifest) -> tuple[str, ...]:
    """Return `manager: field` of each value that people set and the manifest says nothing of."""
    found = []
    for entry in live["metadata"].get("managedFields") or ():
        manager = str(entry.get("manager", ""))
        if manager.startswith(_PEOPLE) and not entry.get("subresource"):
            found += [f"{manager} set {path}" for path in _left(entry.get("fieldsV1") or {}, wanted, "")]
    return tuple(dict.fromkeys(found))


def _left(fields: Mapping[str, Any], wanted: Any, path: str) -> Iterator[str]:
    """Yield the paths of a set of fields that `wanted` does not have; within lists only whole entries are looked at."""
    for key, inner in fields.items():
        if not key.startswith("f:"):
            continue
        name = key.removeprefix("f:")
        if name in _QUIET:
            continue
        if not isinstance(wanted, Mapping) or name not in wanted:
            yield f"{path}.{name}"
        elif isinstance(inner, Mapping):
            yield from _left(inner, wanted[name], f"{path}.{name}")
