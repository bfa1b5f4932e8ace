"""An address of the API that moved to another control plane while it was probed: it is followed, and probed anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flows._ports.choice import ChosenPairs, DealtPairs
from flows._ports.cluster import ClusterView
from flows._ports.endpoint import STEP, SUBJECT, holders_of, look_again, once_settled
from flows._ports.observation import ObservedHosts
from flows._ports.probe_run import ProbeRun
from flows._run.publish import CONTROLLER
from model.base import Address
from model.report.outcome import Outcome, Status, warn
from model.verify.astray import astray, newer
from model.verify.host_rulings import HostRulings
from model.verify.loss import Loss
from model.verify.pairs import Pair
from model.verify.probed_ports import count
from model.verify.probing import AgentRecords

if TYPE_CHECKING:
    from nornir.core import Nornir

# So often an address that does not stay where it is, is probed where it has gone.
_TIMES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedFleet:
    """What the hosts and the cluster said, the probes that were dealt out by it, and what those found."""

    observed: ObservedHosts
    cluster: ClusterView
    rulings: HostRulings
    dealt: DealtPairs
    probe_run: ProbeRun


Probe = Callable[[DealtPairs, ObservedHosts, ClusterView], ProbeRun]


def followed(
    nr: Nornir, chosen: ChosenPairs, fleet: ProbedFleet, probe: Probe, say: Callable[[str], None]
) -> ProbedFleet:
    """
    Look again who holds an address of the API whose probes went astray, and probe it there by `probe`, until it stayed
    where it was while it was probed.

    What goes astray then does so for another reason. Of an address that never stays nothing is proven.
    """
    moved: dict[Address, list[str]] = {}
    told: list[Outcome] = []
    for turn in range(_TIMES + 1):
        holders = fleet.cluster.holders or {}
        lost = astray(_at(fleet.dealt.pairs, holders), fleet.probe_run.evidence)
        if not lost:
            break
        observed = once_settled(nr, chosen.site, look_again(nr, chosen.site, fleet.observed))
        now, findings = holders_of(chosen.site, observed.views)
        elsewhere = {address for address in lost if now.get(address) != holders[address]}
        if turn and not elsewhere:
            break
        for address in elsewhere:
            moved.setdefault(address, [holders[address]]).append(now.get(address, "nobody that was asked"))
        cluster = replace(fleet.cluster, holders=now, outcomes=(*_others(fleet.cluster), *findings))
        fleet = replace(fleet, observed=observed, cluster=cluster)
        given_up = elsewhere if turn == _TIMES else elsewhere - now.keys()
        told += [_unproven(address, moved.pop(address)) for address in sorted(given_up, key=str)]
        fleet = _without(fleet, given_up)
        if turn < _TIMES and (wanted := lost - given_up):
            say(f"what leads to {_named(wanted)} is probed again, at {_named(now[address] for address in wanted)}")
            fleet = _again(chosen, fleet, wanted, probe)
    told += [warn(CONTROLLER, SUBJECT, f"{_way(*way)} while it was probed", STEP) for way in moved.items()]
    return replace(fleet, cluster=replace(fleet.cluster, outcomes=(*fleet.cluster.outcomes, *told)))


def _again(chosen: ChosenPairs, fleet: ProbedFleet, addresses: Collection[Address], probe: Probe) -> ProbedFleet:
    """Deal out the probes of these addresses anew, by what is known now, and fire them."""
    rulings = HostRulings(chosen.site, fleet.observed.views)
    dealt = chosen.deal(fleet.cluster, rulings)
    pairs = _at(dealt.pairs, addresses)
    anew = DealtPairs(pairs=pairs, fired=_at(dealt.fired, addresses), probes=count(pairs))
    again = probe(anew, fleet.observed, fleet.cluster)
    kept = _without(fleet, addresses).dealt
    return replace(
        fleet,
        rulings=rulings,
        dealt=replace(kept, pairs=(*kept.pairs, *pairs)),
        probe_run=_joined(fleet.probe_run, again, anew.fired, addresses),
    )


def _joined(first: ProbeRun, again: ProbeRun, fired: Collection[Pair], addresses: Collection[Address]) -> ProbeRun:
    """Return the first run with the second's evidence; an agent that failed in either has left no record."""
    sent = {pair.source for pair in fired} - again.records.sent.keys()
    seen = {pair.destination for pair in fired} - again.records.seen.keys()
    failed = {name: agents for name, agents in again.agents.items() if agents.problems}
    return replace(
        first,
        evidence=newer(first.evidence, again.evidence, addresses),
        records=AgentRecords(
            sent={name: record for name, record in first.records.sent.items() if name not in sent},
            seen={name: record for name, record in first.records.seen.items() if name not in seen},
        ),
        agents={**first.agents, **failed},
        fired=first.fired + again.fired,
        lost=first.lost + again.lost,
        losses={
            path: first.losses.get(path, Loss()) + again.losses.get(path, Loss())
            for path in (*first.losses, *again.losses)
        },
        late={**first.late, **again.late},
    )


def _without(fleet: ProbedFleet, addresses: Collection[Address]) -> ProbedFleet:
    pairs = tuple(pair for pair in fleet.dealt.pairs if pair.address not in addresses)
    return replace(fleet, dealt=replace(fleet.dealt, pairs=pairs))


def _unproven(address: Address, way: Collection[str]) -> Outcome:
    message = f"{_way(address, way)} while it was probed: nothing is proven of it"
    return Outcome(CONTROLLER, SUBJECT, Status.UNPROVEN, message, next=STEP)


def _at(pairs: Iterable[Pair], addresses: Collection[Address]) -> tuple[Pair, ...]:
    return tuple(pair for pair in pairs if pair.address in addresses)


def _others(cluster: ClusterView) -> tuple[Outcome, ...]:
    return tuple(outcome for outcome in cluster.outcomes if outcome.subject != SUBJECT)


def _named(things: Iterable[object]) -> str:
    return ", ".join(sorted({str(thing) for thing in things})) or "nobody"


def _way(address: Address, names: Collection[str]) -> str:
    return f"the API's address {address} moved from {' to '.join(names)}"
