"""What somebody changed by hand is found to the field, and mended; what is another's to say is left to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.matrix.matrix_lab import MatrixLab


@dataclass(frozen=True)
class Edit:
    """What a person does with kubectl, the object that must be named, and a word of the difference."""

    words: tuple[str, ...]
    subject: str
    says: str


EDITS = {
    "edited": Edit(
        ("patch", "poddisruptionbudget", "redis-sentinel", "--type=merge", "-p", '{"spec": {"maxUnavailable": 3}}'),
        "redis/PodDisruptionBudget/matrix/redis-sentinel",
        "maxUnavailable",
    ),
    "deleted": Edit(
        ("delete", "poddisruptionbudget", "redis"), "redis/PodDisruptionBudget/matrix/redis", "would be created"
    ),
    "scaled": Edit(
        ("scale", "deployment", "redis-proxy", "--replicas=1"),
        "redis-proxy/Deployment/matrix/redis-proxy",
        "replicas",
    ),
    "relabelled": Edit(
        ("label", "service", "redis", "matrix-fleet.io/component=somebody", "--overwrite"),
        "redis/Service/matrix/redis",
        "somebody",
    ),
}
# What stands on these was not changed, and need not be tried again.
_MENDED = ("--component", "redis,redis-proxy")


def test_each_change_by_hand_is_named_alone_and_mended(matrix: MatrixLab) -> None:
    for edit in EDITS.values():
        matrix.kubectl("-n", "matrix", *edit.words)
    code, report = matrix.flow("rollout", "--dry-run")
    drift = {entry["subject"]: entry for entry in report["outcomes"] if entry["status"] == "drift"}
    assert code == 2
    assert set(drift) == {edit.subject for edit in EDITS.values()}
    for edit in EDITS.values():
        found = drift[edit.subject]
        assert edit.says in f"{found['message']} {found['evidence']}", found
    code, done = matrix.changed(*_MENDED)
    assert (code, set(done)) == (0, set(drift))
    assert matrix.changed("--dry-run") == (0, {})


@pytest.fixture
def service(matrix: MatrixLab) -> Callable[[], dict[str, object]]:
    """Return what a Service of ours says now."""
    return lambda: json.loads(matrix.kubectl("-n", "matrix", "get", "service", "haproxy", "-o", "json"))


def test_a_field_that_nobody_declared_stays(matrix: MatrixLab, service: Callable[[], dict[str, object]]) -> None:
    matrix.kubectl("-n", "matrix", "annotate", "service", "haproxy", "example.org/mine=yes")
    try:
        assert matrix.changed("--dry-run") == (0, {})
        assert matrix.changed()[0] == 0
        assert service()["metadata"]["annotations"]["example.org/mine"] == "yes"  # type: ignore[index]  # plain JSON
    finally:
        matrix.kubectl("-n", "matrix", "annotate", "service", "haproxy", "example.org/mine-")


def test_a_controllers_field_is_named_and_left_and_a_persons_is_taken_back(matrix: MatrixLab) -> None:
    scaled = json.dumps({"spec": {"replicas": 1}})
    where = ("-n", "matrix", "patch", "deployment", "redis-proxy", "--type=merge", "-p", scaled)
    before = matrix.kubectl("-n", "matrix", "get", "deployment", "redis-proxy", "-o", "jsonpath={.spec.replicas}")
    matrix.kubectl(*where, "--field-manager=horizontal-pod-autoscaler")
    code, report = matrix.flow("rollout", "--dry-run")
    (named,) = [item for item in report["outcomes"] if item["subject"] == EDITS["scaled"].subject]
    assert (code, named["status"]) == (0, "ok")
    assert ".spec.replicas is held by horizontal-pod-autoscaler: left as it is" in named["message"]
    matrix.kubectl(*where, "--field-manager=somebody", "--subresource=scale")
    matrix.kubectl(*where[:-1], json.dumps({"spec": {"replicas": 3}}), "--field-manager=somebody")
    code, done = matrix.changed(*_MENDED)
    assert code == 0
    assert ".spec.replicas was set by somebody: ours, set back" in done[EDITS["scaled"].subject]
    after = matrix.kubectl("-n", "matrix", "get", "deployment", "redis-proxy", "-o", "jsonpath={.spec.replicas}")
    assert after == before
