from __future__ import annotations

import pytest

from model.kubernetes.manifests import condition, holds

READY = {"status": {"conditions": [{"type": "Stalled", "status": "True"}, {"type": "Ready", "status": "True"}]}}


@pytest.mark.parametrize("thing", [{}, {"status": None}, {"status": {}}, {"status": {"conditions": None}}])
def test_what_nobody_has_said_does_not_hold(thing: dict[str, object]) -> None:
    assert not holds(thing, "Established")
    assert condition(thing, "Established") == {}


@pytest.mark.parametrize("said", ["False", "Unknown"])
def test_only_true_holds(said: str) -> None:
    thing = {"status": {"conditions": [{"type": "Ready", "status": said, "message": "kubelet is silent"}]}}
    assert not holds(thing, "Ready")
    assert condition(thing, "Ready")["message"] == "kubelet is silent"


def test_a_condition_is_found_by_its_kind() -> None:
    assert holds(READY, "Ready")
    assert not holds(READY, "Complete")
