"""Agents of a fleet on paper whose network loses packets, or brings them late."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from flows._ports.agent_pool import AgentPool, Agents
from flows._ports.rounds import RoundsRecord, Volley, send_rounds
from model import bits
from model.report.report import Cell
from model.verify.pairs import Pair
from model.verify.probing import AgentRecords, SeenStream, SentStream
from model.verify.resend import Wanted
from model.verify.sendings import Sendings
from model.verify.verification import Verification
from tests.model.verify.simulation import Fleet

Key = tuple[str, str, str]


@dataclass
class LossyPool:
    """
    Agents that answer as the fleet's rules and its router say, for the packets that arrive.

    `loses` gives, by source and destination, the share that is lost on the way; `late` is the share of the rest that
    arrives some looks later, of `looks` at most.
    """

    fleet: Fleet
    chosen: tuple[Pair, ...]
    loses: Callable[[str, str], float]
    seed: int
    late: float = 0.0
    looks: int = 3
    sent: dict[Key, int] = field(default_factory=dict)
    arrived: dict[Key, int] = field(default_factory=dict)
    replied: dict[Key, int] = field(default_factory=dict)
    waiting: list[tuple[int, Key, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)  # noqa: S311 - dice, not secrets
        self.ideal = self.fleet.records(self.chosen)
        self.seen = {
            (row.source, row.address, row.protocol): (witness, row)
            for witness, record in self.ideal.seen.items()
            for row in record.seen
        }
        end = cast(Any, "agent")
        names = {*self.ideal.sent, *self.ideal.seen}
        self.agents = {
            name: Agents(
                source=end if name in self.ideal.sent else None, witness=end if name in self.ideal.seen else None
            )
            for name in names
        }

    def fire(self, wanted: Wanted | None, _rate: int, _tell: object) -> int:
        """Send what is wanted."""
        packets = 0
        for source, rows in self.ideal.sent.items():
            for row in rows:
                key = (source, row.address, row.protocol)
                ports = row.sent if wanted is None else row.sent & wanted.get(source, {}).get(key[1:], 0)
                packets += ports.bit_count()
                self.sent[key] = self.sent.get(key, 0) | ports
                self._carry(key, ports, row)
        return packets

    def _carry(self, key: Key, ports: int, row: SentStream) -> None:
        if key not in self.seen:
            return
        destination, seen = self.seen[key]
        there, back = self.loses(key[0], destination), self.loses(destination, key[0])
        for port in bits.to_ports(ports & seen.arrived):
            if self.dice.random() < there:
                continue
            bit = 1 << port
            if self.dice.random() < self.late:
                self.waiting.append((self.dice.randint(1, self.looks), key, bit))
            else:
                self.arrived[key] = self.arrived.get(key, 0) | bit
            if row.rst & bit and self.dice.random() >= back:
                self.replied[key] = self.replied.get(key, 0) | bit

    def collect(self, *_quiet: int) -> AgentRecords:
        """What has arrived by now."""
        due = [(looks - 1, key, bit) for looks, key, bit in self.waiting]
        self.waiting = [entry for entry in due if entry[0] > 0]
        records = AgentRecords(
            {source: tuple(map(self._left(source), rows)) for source, rows in self.ideal.sent.items()},
            {
                name: replace(record, seen=tuple(self._witnessed(record.seen)))
                for name, record in self.ideal.seen.items()
            },
        )
        for looks, key, bit in due:
            if looks <= 0:
                self.arrived[key] = self.arrived.get(key, 0) | bit
        return records

    def _left(self, source: str) -> Callable[[SentStream], SentStream]:
        def left(row: SentStream) -> SentStream:
            key = (source, row.address, row.protocol)
            return replace(row, sent=self.sent.get(key, 0), rst=self.replied.get(key, 0))

        return left

    def _witnessed(self, rows: Iterable[SeenStream]) -> Iterable[SeenStream]:
        for row in rows:
            arrived = self.arrived.get((row.source, row.address, row.protocol), 0)
            yield replace(row, arrived=arrived, passed=row.passed & arrived)


@dataclass(frozen=True)
class LossyRun:
    """What a run over such a network comes to."""

    record: RoundsRecord
    sendings: Sendings
    verification: Verification

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Its cells."""
        return self.verification.cells


def verify(pool: LossyPool) -> LossyRun:
    """Send rounds as a run does, and judge what they bring."""
    sendings = Sendings(lambda *_: 0)
    volley = Volley(
        agent_pool=cast(AgentPool, pool), site=pool.fleet.site, fired=pool.chosen, sendings=sendings, rate=1
    )
    record = send_rounds(volley, lambda _sent: None, 1e6, lambda _words: None)
    evidence = sendings.doubted(pool.chosen, record.evidence)
    return LossyRun(record, sendings, pool.fleet.judged(pool.chosen, record.records, evidence))
