"""What surfaced elsewhere is sent again, and who gave no answer is asked again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from flows._ports import probe_run
from flows._ports.agent_pool import AgentPool, Agents
from flows._ports.probe_run import ProbeRun
from model.verify.evidence import join
from model.verify.pairs import Pair
from model.verify.probing import AgentRecords, WitnessRecord
from tests.model.verify.simulation import reference
from tests.model.verify.test_evidence import BIT, key, pair, seen, sent


class Pool:
    """Agents that answer with one of these records after the other, and with the last for ever."""

    def __init__(self, *records: AgentRecords) -> None:
        self.records = list(records)
        self.agents = {name: Agents(witness=cast(Any, name), source=cast(Any, name)) for name in ("cp-1", "w-1")}

    def arm(self, *_: object) -> None:
        """Take everything."""

    def fire(self, *_: object) -> int:
        """Send one packet."""
        return 1

    def collect(self) -> AgentRecords:
        """Say what was given."""
        return self.records.pop(0) if len(self.records) > 1 else self.records[0]


def probed(pairs: list[Pair], records: AgentRecords) -> ProbeRun:
    """A run that fired one packet and left these records."""
    evidence = join(reference(), pairs, records)
    return ProbeRun(evidence=evidence, records=records, agents={}, ssh_answers={}, fired=1, lost=0)


@pytest.mark.parametrize(("looking", "strayed"), [(("w-1", "db-1"), 0), (("w-1",), BIT)])
def test_a_stray_is_dropped_only_where_every_witness_still_answers(looking: tuple[str, ...], strayed: int) -> None:
    stream = pair("cp-1", "w-1")
    fired = {"cp-1": (sent(stream),)}
    first = AgentRecords(fired, {"w-1": WitnessRecord((), (), 0), "db-1": WitnessRecord((seen(stream),), (), 0)})
    second = AgentRecords(fired, {name: WitnessRecord((), (), 0) for name in looking})
    run = probed([stream], first)
    pool: Any = Pool(second)
    sure = probe_run._sure(cast(AgentPool, pool), reference(), [stream], {}, 1, run)
    assert sure.evidence.streams[key(stream)].strayed == strayed
    assert sure.fired == 1 + probe_run.ROUNDS


@pytest.mark.parametrize(
    ("silent_times", "replied", "asked"), [(0, BIT, 0), (1, BIT, 1), (2, BIT, 2), (99, 0, probe_run._ASKED_AGAIN)]
)
def test_a_service_that_is_just_starting_again_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, silent_times: int, replied: int, asked: int
) -> None:
    pauses: list[float] = []
    words: list[str] = []
    monkeypatch.setattr("flows._ports.probe_run.time.sleep", pauses.append)
    stream = pair("cp-1", "w-1")
    witness = {"w-1": WitnessRecord((seen(stream),), (), 0)}
    mute, loud = (AgentRecords({"cp-1": (replace(sent(stream), synack=bit),)}, witness) for bit in (0, BIT))
    pool: Any = Pool(*[mute] * max(0, silent_times - 1), loud if silent_times < 99 else mute)
    first = loud if silent_times == 0 else mute
    run = probed([stream], first)
    end = probe_run._answered(cast(AgentPool, pool), reference(), [stream], lambda *_: BIT, 1, run, words.append)
    assert (end.evidence.streams[key(stream)].replied, len(pauses), end.fired) == (replied, asked, 1 + asked)
    assert len(words) == min(1, asked)


def test_a_port_where_no_service_is_owed_is_not_asked_again() -> None:
    stream = pair("cp-1", "w-1")
    mute = AgentRecords({"cp-1": (sent(stream),)}, {"w-1": WitnessRecord((seen(stream),), (), 0)})
    run = probed([stream], mute)
    pool: Any = Pool(mute)
    assert probe_run._answered(cast(AgentPool, pool), reference(), [stream], lambda *_: 0, 1, run, print) is run
