"""Fields of an object that somebody else added beside what is declared: a person, or another program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from model.kubernetes.manifests import FIELD_MANAGER, Manifest
from model.rollout.conflicts import CONTROLLERS

# Who writes in the cluster's own name: Kubernetes itself, and the operators that the components bring. Everybody else
# is named: a list of those who might write beside us would never be whole.
_OF_THE_CLUSTER = CONTROLLERS | {
    *("kube-apiserver", "kube-scheduler", "kubelet", "kube-proxy", "kube-router", "cloud-controller-manager"),
    # The aggregation of cluster roles applies their rules by a name of its own.
    "clusterrole-aggregation-controller",
    *("contour", "cert-manager"),
}
# Of cert-manager each controller writes by a name of its own.
_FAMILIES = ("cert-manager-",)
# CloudNativePG's operator and its instances are known by their program's name, which many operators have: it counts for
# what is CloudNativePG's alone.
_POSTGRESQL_MANAGER, _POSTGRESQL_GROUP = "manager", "postgresql.cnpg.io"
_ABSENT = object()
# What `kubectl rollout restart` writes is meant to stay, and says when; what kubectl applied last sets nothing.
_QUIET = frozenset({"kubectl.kubernetes.io/restartedAt", "kubectl.kubernetes.io/last-applied-configuration"})


def foreign_fields(live: Manifest, wanted: Manifest) -> tuple[str, ...]:
    """
    Return `MANAGER set FIELD` of each value that the manifest says nothing of, and neither we nor the cluster's own
    programs have set. What is written through a subresource (`status`, `scale`) is no part of what is declared.
    """
    found = []
    for entry in live["metadata"].get("managedFields") or ():
        manager = str(entry.get("manager") or "somebody without a name")
        if not entry.get("subresource") and not _expected(manager, wanted):
            found += [f"{manager} set {path}" for path in _left(entry.get("fieldsV1") or {}, wanted, "")]
    return tuple(dict.fromkeys(found))


def _expected(manager: str, wanted: Manifest) -> bool:
    """Tell whether nothing is to be said of what a manager writes into an object."""
    if manager == _POSTGRESQL_MANAGER:
        return _is_of_postgresql(wanted)
    return manager == FIELD_MANAGER or manager in _OF_THE_CLUSTER or manager.startswith(_FAMILIES)


def _is_of_postgresql(wanted: Manifest) -> bool:
    """Tell whether an object is of one of CloudNativePG's kinds, defines one, or has webhooks for these alone."""
    if str(wanted.get("apiVersion", "")).startswith(f"{_POSTGRESQL_GROUP}/"):
        return True
    if wanted.get("kind") == "CustomResourceDefinition":
        return bool(wanted["spec"]["group"] == _POSTGRESQL_GROUP)
    if wanted.get("kind") not in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        return False
    rules = (rule for webhook in wanted.get("webhooks") or () for rule in webhook.get("rules") or ())
    return {group for rule in rules for group in rule["apiGroups"]} == {_POSTGRESQL_GROUP}


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
        if not _is_quiet(inner):
            yield path
    elif isinstance(inner, Mapping):
        yield from _left(inner, wanted, path)


def _is_quiet(fields: Mapping[str, Any]) -> bool:
    """Tell whether all that was set within a part that is not declared goes without a word."""
    inner = {key.removeprefix("f:"): value for key, value in fields.items() if key != "."}
    return bool(inner) and all(name in _QUIET or _is_quiet(value) for name, value in inner.items())


def _entry(wanted: Any, keys: Mapping[str, Any]) -> Any:
    """Return the entry of a list that has these keys; the API server fills in those that it leaves out."""
    entries = [entry for entry in wanted if isinstance(entry, Mapping)] if isinstance(wanted, list) else []
    fitting = (entry for entry in entries if all(entry.get(key, value) == value for key, value in keys.items()))
    return next(fitting, _ABSENT)
