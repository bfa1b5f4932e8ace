"""Objects that come together: definitions, configuration, workloads that lead, all others."""

from __future__ import annotations

import pytest

from model.kubernetes.waves import is_workload, waves

OBJECTS = ("StatefulSet/b", "Deployment/a", "ConfigMap/c", "Namespace/n", "StatefulSet/a")


def _kind(entry: str) -> str:
    return entry.partition("/")[0]


def test_what_others_need_comes_first() -> None:
    assert waves(OBJECTS, _kind) == [
        ["Namespace/n"],
        ["ConfigMap/c"],
        ["StatefulSet/b", "Deployment/a", "StatefulSet/a"],
    ]


def test_a_workload_that_leads_has_a_wave_of_its_own() -> None:
    found = waves(OBJECTS, _kind, lambda entry: entry.endswith("/a"))
    assert found[2:] == [["Deployment/a", "StatefulSet/a"], ["StatefulSet/b"]]


def test_only_workloads_lead() -> None:
    assert waves(OBJECTS, _kind, lambda entry: entry == "ConfigMap/c") == waves(OBJECTS, _kind)


@pytest.mark.parametrize(("kind", "expected"), [("StatefulSet", True), ("ConfigMap", False)])
def test_workloads_are_told_from_others(kind: str, expected: bool) -> None:
    assert is_workload(kind) is expected
