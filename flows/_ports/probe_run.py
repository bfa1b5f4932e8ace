"""One run of probes: every source fires while every witness looks, and what got lost is sent again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flows._ports.agent_pool import AgentPool, Agents
from flows._ports.ends import End
from model.site.site import Site
from model.verify.evidence import RunEvidence, join
from model.verify.pairs import Pair
from model.verify.probing import AgentRecords
from model.verify.resend import confirmed, doubtful, missing, recovered, silent
from remote.probe.bundle import LIFE_S

if TYPE_CHECKING:
    from nornir.core import Nornir

ROUNDS = 3
# A service that its supervisor starts again, as kubelet does a control plane's, is back within a minute.
_ASKED_AGAIN, _PAUSE_SECONDS = 12, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRun:
    """
    What a run of probes found out.

    `ssh_answers`: whether each host's sshd answered the controller. `lost` counts probes that only a later round
    brought to their witness, `fired` all packets sent.
    """

    evidence: RunEvidence
    records: AgentRecords
    agents: Mapping[str, Agents]
    ssh_answers: Mapping[str, bool]
    fired: int
    lost: int


def run_probes(
    nr: Nornir,
    site: Site,
    fired: Sequence[Pair],
    requests: Mapping[str, Mapping[int, str]],
    *,
    owed: Callable[[Pair, str], int],
    say: Callable[[str], None],
    ends: Mapping[str, End],
    rate: int,
    seconds: float,
    tell: Callable[[int], None],
) -> ProbeRun:
    """
    Open agents at `ends`, fire all probes of the pairs, resend what is missing, and close the agents.

    `owed` gives the ports on which a service must answer: one that does not is asked again for a minute. `seconds`
    is what one round should take; agents end by themselves long after. `tell` is called with the number of
    probes sent so far. An agent that fails costs its own evidence and nobody else's.
    """
    agent_pool = AgentPool(nr, ends, int(LIFE_S + 2 * ROUNDS * seconds + _ASKED_AGAIN * _PAUSE_SECONDS))
    agent_pool.open()
    try:
        agent_pool.arm(fired, requests)
        ssh_answers = agent_pool.reach_ssh()
        probe_run = _rounds(agent_pool, site, fired, ssh_answers, rate, tell)
        probe_run = _answered(agent_pool, site, fired, owed, rate, probe_run, say)
        return _sure(agent_pool, site, fired, requests, rate, probe_run)
    finally:
        agent_pool.close()


def _rounds(
    agent_pool: AgentPool,
    site: Site,
    fired: Sequence[Pair],
    ssh_answers: Mapping[str, bool],
    rate: int,
    tell: Callable[[int], None],
) -> ProbeRun:
    packets = agent_pool.fire(None, rate, tell)
    records = agent_pool.collect()
    evidence = join(site, fired, records)
    lost = 0
    for again in range(1, ROUNDS):
        wanted = missing(_useful(agent_pool, fired), evidence, again)
        if not wanted:
            break
        packets += agent_pool.fire(wanted, rate, tell)
        records = agent_pool.collect()
        later = join(site, fired, records)
        lost += recovered(evidence, later)
        evidence = later
    return ProbeRun(
        evidence=evidence,
        records=records,
        agents=agent_pool.agents,
        ssh_answers=ssh_answers,
        fired=packets,
        lost=lost,
    )


def _useful(agent_pool: AgentPool, fired: Sequence[Pair]) -> list[Pair]:
    """Return the pairs both ends of which still have an agent."""
    alive = {name for name, agents in agent_pool.agents.items() if agents.source}
    seeing = {name for name, agents in agent_pool.agents.items() if agents.witness}
    return [pair for pair in fired if pair.source in alive and pair.destination in seeing]


def _answered(
    agent_pool: AgentPool,
    site: Site,
    fired: Sequence[Pair],
    owed: Callable[[Pair, str], int],
    rate: int,
    probe_run: ProbeRun,
    say: Callable[[str], None],
) -> ProbeRun:
    """Ask services that gave no answer again, a few seconds apart."""
    for asked in range(_ASKED_AGAIN):
        wanted = silent(_useful(agent_pool, fired), probe_run.evidence, owed)
        if not wanted:
            break
        if not asked:
            say(f"services that give no answer are asked again, for {_ASKED_AGAIN * _PAUSE_SECONDS:.0f} s at most")
        time.sleep(_PAUSE_SECONDS)
        packets = agent_pool.fire(wanted, rate, _nobody)
        records = agent_pool.collect()
        evidence = join(site, fired, records)
        probe_run = replace(probe_run, evidence=evidence, records=records, fired=probe_run.fired + packets)
    return probe_run


def _sure(
    agent_pool: AgentPool,
    site: Site,
    fired: Sequence[Pair],
    requests: Mapping[str, Mapping[int, str]],
    rate: int,
    probe_run: ProbeRun,
) -> ProbeRun:
    """Send what surfaced where nobody sent it once more, under other tags, as often as everything else."""
    doubted = doubtful(fired, probe_run.evidence)
    if not doubted:
        return probe_run
    agent_pool.arm(doubted, requests)
    packets = sum(agent_pool.fire(None, rate, _nobody) for _ in range(ROUNDS))
    records = agent_pool.collect()
    if probe_run.records.seen.keys() - records.seen.keys():
        # Who saw it may be who does not answer any more: then nothing speaks against it.
        return replace(probe_run, fired=probe_run.fired + packets)
    evidence = confirmed(doubted, probe_run.evidence, join(site, doubted, records))
    return replace(probe_run, evidence=evidence, fired=probe_run.fired + packets)


def _nobody(_sent: int) -> None:
    """Nobody waits for these few."""
