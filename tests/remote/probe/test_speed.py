"""Every port of a host, both protocols, is witnessed in one go."""

from __future__ import annotations

import pytest

from model.bits import from_intervals
from model.verify.probing import ProbeTarget
from tests.remote.probe.network import B4, B6, KEY, Network, assignment, expected

ALL = from_intervals([(1, 65535)])


@pytest.mark.parametrize("address", [B4, B6])
def test_131070_ports_complete_without_loss(net: Network, address: str) -> None:
    plan = assignment("A", ProbeTarget("B", address, ALL, ALL))
    witness, source = net.witness("B"), net.source("A")
    witness.arm(KEY, expected("B", plan))
    assert source.arm(KEY, plan) == 131_070
    fired = source.fire(rate=1_000_000)
    witnessed = witness.collect(quiet_ms=150)
    assert (fired.sent, witnessed.overrun) == (131_070, 0)
    assert [(seen.arrived, seen.passed) for seen in witnessed.seen] == [(ALL, ALL), (ALL, ALL)]
    tcp, _ = source.collect(quiet_ms=150)
    assert tcp.rst == ALL
