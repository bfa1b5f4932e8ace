"""Fields of an object that somebody else added beside what is declared: a person, or another program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from model.kubernetes.manifests import Manifest
from model.rollout.conflicts import CONTROLLERS

_OURS = "matrix-fleet"
# Who writes in the cluster's own name: Kubernetes itself, and the operators that the components bring. Everybody else
# is named: a list of those who might write beside us would never be whole.
_OF_THE_CLUSTER = CONTROLLERS | {
    *("kube-apiserver", "kube-scheduler", "kubelet", "kube-proxy", "kube-router", "cloud-controller-manager"),
    # The aggregation of cluster roles applies their rules by a name of its own.
    "clusterrole-aggregation-controller",
    *("contour", "cert-manager"),
    # CloudNativePG's operator and its instances are known by their program's name.
    "manager",
}
# Of cert-manager each controller writes by a name of its own.
_FAMILIES = ("cert-manager-",)
_ABSENT = object()
# What `kubectl rollout restart` writes is meant to stay, and says when.
_QUIET = ("kubectl.kubernetes.io/last-applied-configuration",)


def foreign_fields(live: Manifest, wanted: Manifest) -> tuple[str, ...]:
    """
    Return `MANAGER set FIELD` of each value that the manifest says nothing of, and neither we nor the cluster's own
    programs have set. What is written through a subresource (`status`, `scale`) is no part of what is declared.
    """
    found = []
    for entry in live["metadata"].get("managedFields") or ():
        manager = str(entry.get("manager") or "somebody without a name")
        if not entry.get("subresource") and not _expected(manager):
            found += [f"{manager} set {path}" for path in _left(entry.get("fieldsV1") or {}, wanted, "")]
    return tuple(dict.fromkeys(found))


def _expected(manager: str) -> bool:
    """Tell whether nothing is to be said of what a manager writes."""
    return manager == _OURS or manager in _OF_THE_CLUSTER or manager.startswith(_FAMILIES)


def _left(fields: Mapping[str, Any], wanted: Any, path: str) -> Iterator[str]:
    """Yield the paths of a set of fields that `wanted` does not have, as the API writes them: `.a.list[name="b"].c`."""
    for key, inner in fields.items():
        sort, _, name = key.partition(":")
        if sort == "f" and name not in _QUIET:
            there = isinstance(wanted, Mapping) and name in wanted
            yield from _within(inner, wanted[name] if there else _ABSENT, f"{path}.{name}")
        elif sort == "k":
            keys = json.loads(name)
            words = ",".join(f"{word}={json.dumps(value)}" for word, value in keys.items())
            yield from _within(inner, _entry(wanted, keys), f"{path}[{words}]")
        elif sort == "v" and json.loads(name) not in (wanted or ()):
            yield f"{path}[{name}]"


def _within(inner: Any, wanted: Any, path: str) -> Iterator[str]:
    if wanted is _ABSENT:
        yield path
    elif isinstance(inner, Mapping):
        yield from _left(inner, wanted, path)


def _entry(wanted: Any, keys: Mapping[str, Any]) -> Any:
    """Return the entry of a list that has these keys; the API server fills in those that it leaves out."""
    entries = [entry for entry in wanted if isinstance(entry, Mapping)] if isinstance(wanted, list) else []
    fitting = (entry for entry in entries if all(entry.get(key, value) == value for key, value in keys.items()))
    return next(fitting, _ABSENT)
