"""What surfaced elsewhere is sent again, and dropped only where whoever saw it still looks."""

from __future__ import annotations

from typing import Any, cast

import pytest

from flows._ports import probe_run
from flows._ports.agent_pool import AgentPool
from flows._ports.probe_run import ProbeRun
from model.verify.evidence import join
from model.verify.probing import AgentRecords, WitnessRecord
from tests.model.verify.simulation import reference
from tests.model.verify.test_evidence import BIT, key, pair, seen, sent


class Pool:
    """Agents that answer the second time with these records."""

    def __init__(self, records: AgentRecords) -> None:
        self.records = records

    def arm(self, *_: object) -> None:
        """Take everything."""

    def fire(self, *_: object) -> int:
        """Send one packet."""
        return 1

    def collect(self) -> AgentRecords:
        """Say what was given."""
        return self.records


@pytest.mark.parametrize(("looking", "strayed"), [(("w-1", "db-1"), 0), (("w-1",), BIT)])
def test_a_stray_is_dropped_only_where_every_witness_still_answers(looking: tuple[str, ...], strayed: int) -> None:
    stream = pair("cp-1", "w-1")
    fired = {"cp-1": (sent(stream),)}
    first = AgentRecords(fired, {"w-1": WitnessRecord((), (), 0), "db-1": WitnessRecord((seen(stream),), (), 0)})
    second = AgentRecords(fired, {name: WitnessRecord((), (), 0) for name in looking})
    run = ProbeRun(
        evidence=join(reference(), [stream], first), records=first, agents={}, ssh_answers={}, fired=1, lost=0
    )
    pool: Any = Pool(second)
    sure = probe_run._sure(cast(AgentPool, pool), reference(), [stream], {}, 1, run)
    assert sure.evidence.streams[key(stream)].strayed == strayed
    assert sure.fired == 1 + probe_run.ROUNDS
