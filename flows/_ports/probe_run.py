"""One window of verification: every source fires while every witness looks, and what got lost is sent again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows._ports.agent_pool import Agents, Crew
from flows._ports.ends import End
from model.site.site import Site
from model.verify.evidence import Accounts, Joined, join, missing
from model.verify.pairs import Pair
from remote.probe.bundle import LIFE_S

if TYPE_CHECKING:
    from nornir.core import Nornir

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Window:
    """What a window found out. `lost` counts probes that only a later round brought to their witness, `fired` all packets sent."""

    joined: Joined
    accounts: Accounts
    agents: Mapping[str, Agents]
    greeted: Mapping[str, bool]
    fired: int
    lost: int


def observe(
    nr: Nornir,
    site: Site,
    chosen: Sequence[Pair],
    requests: Mapping[str, Mapping[int, str]],
    *,
    ends: Mapping[str, End],
    rate: int,
    seconds: float,
    tell: Callable[[int], None],
) -> Window:
    """
    Open agents at `ends`, fire all probes of the chosen pairs, resend what is missing, and close the agents.

    `seconds` is what one round should take; agents end by themselves long after. `tell` is called with the number of probes sent so
    far. An agent that fails costs its own evidence and nobody else's.
    """
    crew = Crew(nr, ends, int(LIFE_S + 2 * ROUNDS * seconds))
    crew.open()
    try:
        crew.arm(chosen, requests)
        greeted = crew.greet()
        return _rounds(crew, site, chosen, greeted, rate, tell)
    finally:
        crew.close()


def _rounds(
    crew: Crew, site: Site, chosen: Sequence[Pair], greeted: Mapping[str, bool], rate: int, tell: Callable[[int], None]
) -> Window:
    fired = crew.fire(None, rate, tell)
    joined = join(site, chosen, crew.collect())
    accounts = crew.accounts
    lost = 0
    for again in range(1, ROUNDS):
        alive = {name for name, agents in crew.agents.items() if agents.source}
        seeing = {name for name, agents in crew.agents.items() if agents.witness}
        useful = [pair for pair in chosen if pair.source in alive and pair.destination in seeing]
        wanted = missing(useful, joined, again)
        if not wanted:
            break
        fired += crew.fire(wanted, rate, tell)
        accounts = crew.collect()
        later = join(site, chosen, accounts)
        lost += _recovered(joined, later)
        joined = later
    return Window(joined, accounts, crew.agents, greeted, fired, lost)


def _recovered(before: Joined, after: Joined) -> int:
    return sum(
        (packets.arrived & ~before.packets[key].arrived).bit_count()
        for key, packets in after.packets.items()
        if packets.arrived != before.packets[key].arrived
    )
