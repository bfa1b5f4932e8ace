"""The stage that most tests of a rollout play on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.rollout.stage import SPACE, Stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Four components: two stand on one another, one beside them, and all on the ground."""
    found = Stage(tmp_path, monkeypatch)
    found.objects["ground"] = [SPACE]
    found.components(ground=(), one=("ground",), two=("one",), aside=("ground",))
    return found
