"""A site whose store is filled, and a cluster that only writes down what a rotation asks of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.rotation_fakes import FakeCarrier
from tests.flows.secret_site import SecretSite


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SecretSite:
    """A site of a test's own that has a value of every secret."""
    ready = SecretSite(tmp_path, monkeypatch)
    ready.fill()
    return ready


@pytest.fixture
def carrier(site: SecretSite, monkeypatch: pytest.MonkeyPatch) -> FakeCarrier:
    """Who carries out that site's rotations, in the cluster's place."""
    fake = FakeCarrier(site)
    monkeypatch.setattr("flows._secrets.rotate.ClusterCarrier", lambda _context: fake)
    return fake
