from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.remote.probe.network import Network, network


@pytest.fixture(scope="package")
def wires(real_machine: None) -> Iterator[Network]:
    with network() as joined:
        yield joined


@pytest.fixture
def net(wires: Network) -> Iterator[Network]:
    try:
        yield wires
    finally:
        wires.calm()
