"""One window of verification: every source fires while every witness looks, and what got lost is sent again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows._ports.agent_pool import AgentPool, Agents
from flows._ports.ends import End
from model.site.site import Site
from model.verify.evidence import AgentRecords, RunEvidence, join, missing
from model.verify.pairs import Pair
from remote.probe.bundle import LIFE_S

if TYPE_CHECKING:
    from nornir.core import Nornir

ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRun:
    """
    What a window found out. `lost` counts probes that only a later round brought to their witness, `fired` all packets
    sent.
    """

    joined: RunEvidence
    accounts: AgentRecords
    agents: Mapping[str, Agents]
    greeted: Mapping[str, bool]
    fired: int
    lost: int


def run_probes(
    nr: Nornir,
    site: Site,
    chosen: Sequence[Pair],
    requests: Mapping[str, Mapping[int, str]],
    *,
    ends: Mapping[str, End],
    rate: int,
    seconds: float,
    tell: Callable[[int], None],
) -> ProbeRun:
    """
    Open agents at `ends`, fire all probes of the chosen pairs, resend what is missing, and close the agents.

    `seconds` is what one round should take; agents end by themselves long after. `tell` is called with the number of
    probes sent so far. An agent that fails costs its own evidence and nobody else's.
    """
    agent_pool = AgentPool(nr, ends, int(LIFE_S + 2 * ROUNDS * seconds))
    agent_pool.open()
    try:
        agent_pool.arm(chosen, requests)
        greeted = agent_pool.greet()
        return _rounds(agent_pool, site, chosen, greeted, rate, tell)
    finally:
        agent_pool.close()


def _rounds(
    agent_pool: AgentPool,
    site: Site,
    chosen: Sequence[Pair],
    greeted: Mapping[str, bool],
    rate: int,
    tell: Callable[[int], None],
) -> ProbeRun:
    fired = agent_pool.fire(None, rate, tell)
    joined = join(site, chosen, agent_pool.collect())
    accounts = agent_pool.accounts
    lost = 0
    for again in range(1, ROUNDS):
        alive = {name for name, agents in agent_pool.agents.items() if agents.source}
        seeing = {name for name, agents in agent_pool.agents.items() if agents.witness}
        useful = [pair for pair in chosen if pair.source in alive and pair.destination in seeing]
        wanted = missing(useful, joined, again)
        if not wanted:
            break
        fired += agent_pool.fire(wanted, rate, tell)
        accounts = agent_pool.collect()
        later = join(site, chosen, accounts)
        lost += _recovered(joined, later)
        joined = later
    return ProbeRun(joined=joined, accounts=accounts, agents=agent_pool.agents, greeted=greeted, fired=fired, lost=lost)


def _recovered(before: RunEvidence, after: RunEvidence) -> int:
    return sum(
        (packets.arrived & ~before.packets[key].arrived).bit_count()
        for key, packets in after.packets.items()
        if packets.arrived != before.packets[key].arrived
    )
