"""Rounds of probes: everything once, then what is missing, until loss explains none of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flows._ports.agent_pool import AgentPool
from model.site.site import Site
from model.verify.evidence import RunEvidence, join
from model.verify.loss import MOST_SENDS
from model.verify.pairs import Pair
from model.verify.probing import AgentRecords
from model.verify.resend import Wanted, missing, recovered, together, undelivered
from model.verify.sendings import Sendings
from remote.probe.session import QUIET_MS

# So often everything that is missing is sent; more often only where packets were lost, or too little is known to tell.
ROUNDS = 3
# After these, what is missing is sent so many times more before anybody is asked: asking takes longer than sending.
_BESIDE = 2
# Sending again ends after so long, and so many times longer than a round takes.
_RESEND_SECONDS, _RESEND_ROUNDS = 120.0, 10
# What may be late, or sent while the way was cut for a moment, is sent and waited for a last time.
PAUSE_SECONDS, LAST_LOOK_MS = 1.5, 1000


def longest(seconds: float) -> float:
    """Return the seconds after which nothing is sent again any more, where a round takes so many."""
    return _RESEND_SECONDS + _RESEND_ROUNDS * seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundsRecord:
    """What all rounds brought: packets sent, and probes that only a later round brought to their witness."""

    evidence: RunEvidence
    records: AgentRecords
    packets: int
    recovered: int
    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Volley:
    """What fires: the agents, the pairs whose probes they send, how often those were sent, packets a second a host."""

    agent_pool: AgentPool
    site: Site
    fired: Sequence[Pair]
    sendings: Sendings
    rate: int

    @property
    def useful(self) -> list[Pair]:
        """The pairs both ends of which still have an agent."""
        alive = {name for name, agents in self.agent_pool.agents.items() if agents.source}
        seeing = {name for name, agents in self.agent_pool.agents.items() if agents.witness}
        return [pair for pair in self.fired if pair.source in alive and pair.destination in seeing]

    def fire(
        self,
        wanted: Wanted | None,
        tell: Callable[[int], None] = lambda _sent: None,
        quiet_ms: int = QUIET_MS,
        before: Sequence[RunEvidence] = (),
    ) -> tuple[int, AgentRecords, RunEvidence]:
        """
        Send what is wanted (None: everything); return how many packets left, and what is known after it.

        `before`: the evidence, once for each more time that it is sent before anybody is asked; what arrives is taken
        to have done so the last time.
        """
        packets = sum(self.agent_pool.fire(wanted, self.rate, tell) for _ in (*before, None))
        records, evidence = self.look(quiet_ms)
        for known in (*before, evidence):
            self.sendings.note(self.fired, wanted, known)
        return packets, records, evidence

    def look(self, quiet_ms: int = QUIET_MS) -> tuple[AgentRecords, RunEvidence]:
        """Ask all agents for their records once it has been quiet for so long, and join them."""
        records = self.agent_pool.collect(quiet_ms)
        return records, join(self.site, self.fired, records)


def send_rounds(volley: Volley, tell: Callable[[int], None], limit: float, say: Callable[[str], None]) -> RoundsRecord:
    """
    Send everything, then what is missing, until loss explains none of it or `limit` seconds are over.

    What should have arrived and has not is sent a last time after a pause: it may be late, or the way was cut a moment.
    """
    started = time.monotonic()
    packets, records, evidence = volley.fire(None, tell)
    late, rounds, last = 0, 1, False
    while True:
        wanted = _wanted(volley, evidence, rounds, started + limit)
        if not wanted:
            wanted = {} if last else undelivered(volley.useful, evidence)
            if not wanted:
                break
            last = True
            time.sleep(PAUSE_SECONDS)
        elif rounds == ROUNDS:
            say(f"packets are lost, or may be: what is missing is sent again, {MOST_SENDS} times at most")
        before, again = evidence, 0 if rounds < ROUNDS or last else min(_BESIDE, MOST_SENDS - rounds - 1)
        quiet = LAST_LOOK_MS if last else QUIET_MS
        more, records, evidence = volley.fire(wanted, tell, quiet, [before] * again)
        packets, late, rounds = packets + more, late + recovered(before, evidence), rounds + 1 + again
    return RoundsRecord(
        evidence=evidence,
        records=records,
        packets=packets,
        recovered=late,
        rounds=rounds,
        seconds=round(time.monotonic() - started, 2),
    )


def _wanted(volley: Volley, evidence: RunEvidence, rounds: int, until: float) -> Wanted:
    """Return what is to be sent after so many rounds; nothing when enough is known, or it has been sent long enough."""
    useful = volley.useful
    if rounds < ROUNDS:
        return together(missing(useful, evidence, rounds), volley.sendings.doubtful(useful, evidence))
    if rounds >= MOST_SENDS or time.monotonic() > until:
        return {}
    return volley.sendings.doubtful(useful, evidence)
