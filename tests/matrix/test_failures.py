"""A component that cannot become ready is named with its reason; what needs it is not begun, and all else is done."""

from __future__ import annotations

from typing import Any

import pytest

from tests.matrix.matrix_lab import Copy, MatrixLab

# The component, the object that the report names, and what it must say of it.
_REASONS = {
    "trial-class": ("StatefulSet/trial/classless", ('storageclass.storage.k8s.io "nowhere" not found',)),
    "trial-claim": (
        "Deployment/trial/claimant",
        # The scheduler's words of the pod, and the last event of the claim: what that waits for depends on the moment.
        ("didn't find available persistent volumes", "of PersistentVolumeClaim trial/unfitting: waiting for "),
    ),
    "trial-quota": ("Deployment/trial-quota/crowded", ("exceeded quota: none", "pods=0")),
    "trial-image": ("Deployment/trial/pictureless", ("registry.example.test/nobody-has-this:1",)),
    "trial-crash": ("Deployment/trial/hasty", ("/no/such/file",)),
    "trial-secret": ("Secret/trial/misnamed", ("its text is left out, since it may quote values",)),
    "trial-kind": ("Widget/trial/widget", ("the cluster knows no kind Widget of example.org/v1",)),
}
Failed = tuple[int, dict[str, Any]]


@pytest.fixture(scope="module")
def failed(trials: Copy) -> Failed:
    return trials.rollout("--component", ",".join(trials.components))


def test_the_exit_code_says_that_something_failed(failed: Failed) -> None:
    assert failed[0] == 3
    assert failed[1]["good"] is False


@pytest.mark.parametrize("component", sorted(_REASONS))
def test_each_failure_is_named_with_object_reason_and_next_step(failed: Failed, component: str) -> None:
    report = failed[1]
    (state,) = [entry for entry in report["components"] if entry["name"] == component]
    place, words = _REASONS[component]
    told = [
        entry
        for entry in report["outcomes"]
        if entry["subject"] == f"{component}/{place}" and entry["status"] == "failed"
    ]
    assert state["status"] == "failed"
    assert told, [entry for entry in report["outcomes"] if entry["subject"].startswith(component)]
    for word in words:
        assert any(word in f"{entry['message']} {entry['evidence']} {entry['next']}" for entry in told), told
    assert all(entry["next"] for entry in told)


def test_what_needs_a_failed_one_is_not_begun_and_the_rest_is_done(failed: Failed, ready: MatrixLab) -> None:
    states = {entry["name"]: entry for entry in failed[1]["components"]}
    assert states["trial-dependent"]["status"] == "not_run"
    assert "trial-crash" in states["trial-dependent"]["why"]
    assert {name for name, state in states.items() if state["status"] in ("ok", "changed")} == {
        "trial-ground",
        "trial-good",
    }
    names = {item["metadata"]["name"] for item in ready.objects("configmaps", "-n", "trial")}
    assert "good" in names
    assert "dependent" not in names
