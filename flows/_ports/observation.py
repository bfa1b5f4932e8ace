"""What the hosts and the perimeter's device say of themselves before the first probe."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from model.host.hostview import HostView
from model.report.outcome import Outcome, warn
from model.ufw.unconfirmed import UnconfirmedChange
from model.verify.pairs import Pair
from model.verify.pods import node_of
from model.verify.views import room, view_of
from remote import perimeter
from remote.collector import ports as collected
from remote.facts import firewall, unconfirmed
from remote.facts.probe_ports import ClusterPorts
from remote.installed import program

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.inventory import Host

OBSERVE_SECONDS = 50.0


@dataclass(frozen=True, slots=True)
class _HostAnswer:
    view: HostView
    python3: bool
    cluster: ClusterPorts | str = ""
    unconfirmed: UnconfirmedChange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedHosts:
    """
    Views of every host that answered and can run an agent, names of those that cannot, failures of the others, and the
    device's rules as text (None: not read).

    Where no agent can run nothing is proven, and rules are no finding of their own. `cluster` is what API servers said
    of their own accord, by host: its ports, or why not. `unconfirmed`: changes of a firewall that may be taken back.
    """

    views: Mapping[str, HostView]
    agentless: tuple[str, ...]
    rules: str | None
    failures: Mapping[str, HostFailure]
    cluster: Mapping[str, ClusterPorts | str] = field(default_factory=dict)
    unconfirmed: Mapping[str, UnconfirmedChange] = field(default_factory=dict)


def observe(nr: Nornir, names: Sequence[str], device: str | None, platform: str) -> ObservedHosts:
    """
    Read every host's facts and the device's rules at once; rules of a host that cannot be read are that host's failure.
    """

    def look(host: Host) -> _HostAnswer | str:
        return perimeter.read(host, platform) if host.name == device else _look(host)

    everybody = (*names, *((device,) if device else ()))
    answers = run_on_hosts(nr, look, names=everybody, workers=128, deadline=OBSERVE_SECONDS)
    hosts = {name: answer for name, answer in answers.items() if isinstance(answer, _HostAnswer)}
    return ObservedHosts(
        views={name: answer.view for name, answer in hosts.items() if answer.python3},
        agentless=tuple(name for name, answer in hosts.items() if not answer.python3),
        rules=next((answer for answer in answers.values() if isinstance(answer, str)), None),
        failures={name: answer for name, answer in answers.items() if isinstance(answer, HostFailure)},
        cluster={name: answer.cluster for name, answer in hosts.items() if answer.cluster},
        unconfirmed={name: answer.unconfirmed for name, answer in hosts.items() if answer.unconfirmed},
    )


def observe_again(nr: Nornir, observed: ObservedHosts, names: Collection[str]) -> ObservedHosts:
    """
    Read the named hosts, those of them that were read before, once more. What they said then is forgotten, also where
    one gives no answer now.
    """
    names = tuple(name for name in observed.views if name in names)
    answers = run_on_hosts(nr, _look, names=names, workers=128, deadline=OBSERVE_SECONDS)
    views = {name: answer.view for name, answer in answers.items() if isinstance(answer, _HostAnswer)}
    silent = {name: answer for name, answer in answers.items() if isinstance(answer, HostFailure)}
    kept = {name: view for name, view in observed.views.items() if name not in silent}
    return replace(observed, views={**kept, **views}, failures={**observed.failures, **silent})


def _look(host: Host) -> _HostAnswer:
    if program(host, "collector"):
        collection = collected.observe(host)
        return _HostAnswer(collection.view, True, collection.cluster or collection.why, collection.unconfirmed)
    facts = firewall.observe(host)
    return _HostAnswer(view_of(host.name, facts), bool(facts.python3), "", facts.unconfirmed)


def unconfirmed_by_now(nr: Nornir, observed: ObservedHosts, lost: Collection[str]) -> ObservedHosts:
    """
    Ask the same hosts once more, when the probes are over, whether a change of their firewall waits to be confirmed.

    One that waited before stays told. Hosts of `lost` are not asked: they went away meanwhile, which is told already.
    """

    def look(host: Host) -> UnconfirmedChange | None:
        return collected.unconfirmed(host) if program(host, "collector") else unconfirmed.observe(host)

    names = tuple(name for name in observed.views if name not in (*observed.unconfirmed, *lost))
    answers = run_on_hosts(nr, look, names=names, workers=128, deadline=OBSERVE_SECONDS)
    later = {name: answer for name, answer in answers.items() if isinstance(answer, UnconfirmedChange)}
    silent = {name: answer for name, answer in answers.items() if isinstance(answer, HostFailure)}
    return replace(observed, unconfirmed={**observed.unconfirmed, **later}, failures={**observed.failures, **silent})


def pace(dealt: Sequence[Pair], rate: int, views: Mapping[str, HostView]) -> tuple[int, float]:
    """
    Return the packets a second that leave every host's connection tracking half empty, and the seconds one round takes.
    """
    load = _load(dealt)
    rate = min([rate, *(room(view, load.get(name, 0), rate) for name, view in views.items())])
    return rate, max(load.values(), default=0) / rate


def slowed(dealt: Sequence[Pair], rate: int, views: Mapping[str, HostView]) -> tuple[Outcome, ...]:
    """Return a warning for each host whose connection tracking has no room for `rate` packets a second."""
    load, warnings = _load(dealt), []
    for name, view in views.items():
        share = room(view, load.get(name, 0), rate)
        if share < rate:
            limit, used = view.conntrack
            message = (
                f"its connection tracking has room for {share:,} packets/s ({used:,} of {limit:,} entries in use): "
                f"every host sends that slowly, and not {rate:,}"
            )
            warnings.append(warn(name, "pace", message, "raise net.netfilter.nf_conntrack_max there, then run again"))
    return tuple(warnings)


def _load(dealt: Sequence[Pair]) -> dict[str, int]:
    load: dict[str, int] = {}
    for pair in dealt:
        number = sum(ports.bit_count() for ports in pair.probed.values())
        node = node_of(pair.source)
        load[node] = load.get(node, 0) + number
    return load
