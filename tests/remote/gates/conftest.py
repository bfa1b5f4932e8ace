"""The world that gates look at."""

from __future__ import annotations

import pytest

from tests.remote.gates.world import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty cluster of the reference site."""
    return World(monkeypatch)
