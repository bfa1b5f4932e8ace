"""What surfaced elsewhere is sent again, and who gave no answer is asked again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from flows._ports import probe_run
from flows._ports.agent_pool import AgentPool, Agents
from flows._ports.probe_run import ProbeRun
from flows._ports.rounds import ROUNDS, Volley
from model.verify.evidence import join
from model.verify.pairs import Pair
from model.verify.probing import AgentRecords, WitnessRecord
from model.verify.sendings import Sendings
from tests.model.verify.simulation import reference
from tests.model.verify.test_evidence import BIT, PORT, key, pair, seen, sent


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

    def collect(self, *_: object) -> AgentRecords:
        """Say what was given."""
        return self.records.pop(0) if len(self.records) > 1 else self.records[0]


def volley(pool: Pool, stream: Pair, owed: int = BIT) -> Volley:
    """The pool, firing the probes of one pair."""
    owes = Sendings(lambda *_: owed)
    return Volley(agent_pool=cast(AgentPool, pool), site=reference(), fired=[stream], sendings=owes, rate=1)


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
    sure = probe_run._sure(volley(pool, stream), {}, run)
    assert sure.evidence.streams[key(stream)].strayed == strayed
    assert sure.fired == 1 + ROUNDS


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
    end = probe_run._answered(volley(pool, stream), run, words.append)
    assert (end.evidence.streams[key(stream)].replied, len(pauses), end.fired) == (replied, asked, 1 + asked)
    took = asked * probe_run._PAUSE_SECONDS
    assert end.late == ({("w-1", "tcp", PORT): took} if asked and replied else {})
    assert len(words) == min(1, asked)


def test_a_port_where_no_service_is_owed_is_not_asked_again() -> None:
    stream = pair("cp-1", "w-1")
    mute = AgentRecords({"cp-1": (sent(stream),)}, {"w-1": WitnessRecord((seen(stream),), (), 0)})
    run = probed([stream], mute)
    pool: Any = Pool(mute)
    assert probe_run._answered(volley(pool, stream, owed=0), run, print) is run


class Doors(Pool):
    """An sshd that greets the n-th connection and no earlier one."""

    def __init__(self, greets_at: int, *records: AgentRecords) -> None:
        super().__init__(*records)
        self.greets_at, self.tried = greets_at, 1

    def reach_ssh(self, names: list[str], at_once: int) -> dict[str, bool]:
        """Connect so many times."""
        self.tried += at_once
        return dict.fromkeys(names, self.tried >= self.greets_at)


@pytest.mark.parametrize(("greets_at", "answered", "tried"), [(2, True, 7), (99, False, 7)])
def test_an_sshd_that_does_not_greet_is_tried_until_loss_does_not_explain_it(
    greets_at: int, answered: bool, tried: int
) -> None:
    stream = pair("cp-1", "w-1")
    records = AgentRecords({"cp-1": (sent(stream),)}, {"w-1": WitnessRecord((seen(stream),), (), 0)})
    pool: Any = Doors(greets_at, records)
    run = replace(probed([stream], records), ssh_answers={"w-1": False, "cp-1": True})
    end = probe_run._greeted(volley(pool, stream), run)
    assert (end.ssh_answers, end.ssh_doubts, pool.tried) == ({"w-1": answered, "cp-1": True}, {}, tried)


def test_where_the_host_loses_too_much_an_sshd_that_does_not_greet_is_in_doubt() -> None:
    stream = replace(pair("cp-1", "w-1"), probed={"tcp": 255, "udp": 0})
    none, one = (
        AgentRecords({"cp-1": (sent(stream, 255),)}, {"w-1": WitnessRecord((seen(stream, ports, 0),), (), 0)})
        for ports in (1, 255)
    )
    pool: Any = Doors(99, one)
    sends = volley(pool, stream)
    for _ in range(5):
        sends.sendings.note([stream], None, join(reference(), [stream], none))
    sends.sendings.note([stream], None, join(reference(), [stream], one))
    end = probe_run._greeted(sends, replace(probed([stream], one), ssh_answers={"w-1": False}))
    assert pool.tried == 1 + 3 * 6
    assert "19 connections gave no answer; on the way to w-1: 81% of 43 packets lost" in end.ssh_doubts["w-1"]


def test_an_sshd_that_greets_at_once_is_left_alone() -> None:
    stream = pair("cp-1", "w-1")
    records = AgentRecords({"cp-1": (sent(stream),)}, {"w-1": WitnessRecord((seen(stream),), (), 0)})
    run = replace(probed([stream], records), ssh_answers={"w-1": True})
    assert probe_run._greeted(volley(cast(Any, Doors(1, records)), stream), run) is run
