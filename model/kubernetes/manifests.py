"""Kubernetes objects apart from what the cluster writes into them, and how two of them differ."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from difflib import unified_diff
from typing import Any

import yaml

Manifest = dict[str, Any]

# Under this name the API server keeps which fields of an object we have set.
FIELD_MANAGER = "matrix-fleet"

# Written by the API server at every change, or by controllers: no part of what somebody wants.
_BOOKKEEPING = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")
_VEILED = ("data", "stringData")
# What kubectl applied last, with every value.
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def name_of(manifest: Mapping[str, Any]) -> str:
    """Return an object's kind, namespace and name as a person says them: `DaemonSet kube-flannel/kube-flannel`."""
    meta = manifest.get("metadata", {})
    namespace = f"{meta['namespace']}/" if meta.get("namespace") else ""
    return f"{manifest.get('kind', 'object')} {namespace}{meta.get('name', '')}"


def wanted_part(manifest: Manifest) -> Manifest:
    """Return the object without status and without the API server's bookkeeping."""
    part = copy.deepcopy({key: value for key, value in manifest.items() if key != "status"})
    meta = part.get("metadata")
    if isinstance(meta, dict):
        for key in _BOOKKEEPING:
            meta.pop(key, None)
    return part


def difference(before: Manifest | None, after: Manifest | None) -> tuple[str, ...]:
    """
    Say how an object changes, as lines of a unified diff; none where nothing does. What a Secret holds is not shown.
    """
    old, new = (None if manifest is None else wanted_part(manifest) for manifest in (before, after))
    if old == new:
        return ()
    name = name_of(new or old or {})
    _veil(old, new)
    (old_name, old_lines), (new_name, new_lines) = (_shown(old, name), _shown(new, name))
    return tuple(unified_diff(old_lines, new_lines, old_name, new_name, lineterm="", n=2))


def _shown(manifest: Manifest | None, name: str) -> tuple[str, list[str]]:
    return ("/dev/null", []) if manifest is None else (name, yaml.safe_dump(manifest, width=110).splitlines())


def _veil(old: Manifest | None, new: Manifest | None) -> None:
    """Put a word in the place of every secret value, another one where it changes."""
    if "Secret" not in {manifest.get("kind") for manifest in (old, new) if manifest}:
        return
    for manifest in (old, new):
        annotations = ((manifest or {}).get("metadata") or {}).get("annotations") or {}
        annotations |= {_LAST_APPLIED: "(secret)"} if _LAST_APPLIED in annotations else {}
    for part in _VEILED:
        before = (old or {}).get(part) or {}
        after = (new or {}).get(part) or {}
        if after:
            words = {
                key: "(secret)" if before.get(key, value) == value else "(new secret)" for key, value in after.items()
            }
            _put(new, part, words)
        if before:
            _put(old, part, dict.fromkeys(before, "(secret)"))


def _put(manifest: Manifest | None, part: str, words: dict[str, str]) -> None:
    if manifest is not None:
        manifest[part] = words


def condition(manifest: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """
    Return an object's condition of a kind; empty where its controller has not said one yet.

    The API writes a list that nobody filled as null where its type does not leave it out (CustomResourceDefinition is
    one).
    """
    conditions = (manifest.get("status") or {}).get("conditions") or ()
    return next((entry for entry in conditions if entry["type"] == kind), {})


def holds(manifest: Mapping[str, Any], kind: str) -> bool:
    """Return whether an object's condition of a kind is said to be True."""
    return bool(condition(manifest, kind).get("status") == "True")
