"""One pair of agents: every TCP and UDP port of one host, from the first packet to the witness's account."""

from __future__ import annotations

import time
from statistics import median

from benchmarks.figure import Figure
from model.bits import from_intervals
from model.verify.probing import ProbeTarget
from tests.remote.probe.network import B4, KEY, Network, assignment, expected, network

EVERY = from_intervals([(1, 65535)])
FASTER_THAN_ANY = 1_000_000


def measure(rounds: int) -> list[Figure]:
    """Time 131,070 probes between two namespaces; a lost probe is a failed measurement."""
    with network() as net:
        seconds = [_once(net) for _ in range(rounds)]
    return [Figure("agent_131070_ports_s", median(seconds), "s", "", rounds)]


def _once(net: Network) -> float:
    plan = assignment("A", ProbeTarget("B", B4, EVERY, EVERY))
    witness, source = net.witness("B"), net.source("A")
    witness.arm(KEY, expected("B", plan))
    source.arm(KEY, plan)
    started = time.monotonic()
    source.fire(rate=FASTER_THAN_ANY)
    seen = witness.collect(quiet_ms=50).seen
    seconds = time.monotonic() - started
    net.calm()
    if [row.passed for row in seen] != [EVERY, EVERY]:
        raise RuntimeError("not every probe was witnessed")
    return seconds
