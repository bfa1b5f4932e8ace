"""Claims about what is never pruned: data and the ground on which they lie go only where a person names them."""

from __future__ import annotations

import pytest

from model.rollout.inventory import KEPT_KINDS, may_be_replaced, may_go
from model.rollout.keys import ObjectKey

# By hand, and not from the program: a kind that is dropped there must go red here.
KEPT = (
    ("", "PersistentVolumeClaim", "space"),
    ("", "PersistentVolume", ""),
    ("", "Namespace", ""),
    ("", "Secret", "space"),
    ("apiextensions.k8s.io", "CustomResourceDefinition", ""),
    ("postgresql.cnpg.io", "Cluster", "space"),
    ("postgresql.cnpg.io", "Database", "space"),
    ("storage.k8s.io", "StorageClass", ""),
)


@pytest.mark.parametrize(("group", "kind", "namespace"), KEPT, ids=[kind for _, kind, _ in KEPT])
def test_it_goes_only_where_a_person_names_it(group: str, kind: str, namespace: str) -> None:
    key = ObjectKey(group, kind, namespace, "data")
    assert not may_go(key, frozenset())
    assert not may_go(key, frozenset({f"{kind}/other", f"{kind}/elsewhere/data", "ConfigMap/data"}))
    assert may_go(key, frozenset({f"{kind}/{namespace}/data" if namespace else f"{kind}/data"}))


@pytest.mark.parametrize(("group", "kind", "namespace"), KEPT, ids=[kind for _, kind, _ in KEPT])
def test_it_is_made_anew_only_where_a_person_names_it_and_not_its_component(
    group: str, kind: str, namespace: str
) -> None:
    key = ObjectKey(group, kind, namespace, "data")
    assert not may_be_replaced(key, "one", frozenset({"one", f"{kind}/other"}))
    assert may_be_replaced(key, "one", frozenset({key.word}))
    assert key.word == (f"{kind}/{namespace}/data" if namespace else f"{kind}/data")


def test_every_kind_that_is_kept_was_tried() -> None:
    assert {(group, kind) for group, kind, _ in KEPT} == KEPT_KINDS


def test_what_holds_no_data_goes() -> None:
    settings = ObjectKey("", "ConfigMap", "space", "data")
    assert may_go(settings, frozenset())
    assert may_be_replaced(settings, "one", frozenset({"one"}))
    assert not may_be_replaced(settings, "one", frozenset({"two"}))
    # Of the same kind, and of another group: no database.
    assert may_go(ObjectKey("cluster.example.test", "Cluster", "space", "data"), frozenset())
