"""What do the hosts and the perimeter's device say of themselves before the first probe?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flows._fleet.hosts import HostFailure, each
from model.host.hostview import HostView
from model.verify.pairs import PROTOCOLS, Pair
from model.verify.pods import node_of
from model.verify.views import room, view_of
from remote import perimeter
from remote.collector import ports as collected
from remote.facts import firewall
from remote.facts.probe_ports import ClusterPorts
from remote.installed import program

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.inventory import Host

OBSERVE_SECONDS = 25.0


@dataclass(frozen=True, slots=True)
class _HostAnswer:
    view: HostView
    python3: bool
    cluster: ClusterPorts | str = ""


@dataclass(frozen=True, slots=True)
class ObservedHosts:
    """
    Views of every host that answered and can run an agent, names of those that cannot, failures of the others, and the
    device's rules as text (None: not read).

    Where no agent can run nothing is proven, and rules are no finding of their own. `cluster` is what API servers said
    of their own accord, by host: its ports, or why not.
    """

    views: Mapping[str, HostView]
    agentless: tuple[str, ...]
    rules: str | None
    failures: Mapping[str, HostFailure]
    cluster: Mapping[str, ClusterPorts | str] = field(default_factory=dict)

    def listening(self) -> dict[str, dict[str, int]]:
        """Ports something listens on, by host and protocol."""
        return {name: {word: view.open_ports(word) for word in PROTOCOLS} for name, view in self.views.items()}


def observe(nr: Nornir, names: Sequence[str], device: str | None, platform: str) -> ObservedHosts:
    """
    Read every host's facts and the device's rules at once; rules of a host that cannot be read are that host's failure.
    """

    def look(host: Host) -> _HostAnswer | str:
        if host.name == device:
            return perimeter.read(host, platform)
        if program(host, "collector"):
            found = collected.observe(host)
            return _HostAnswer(found.view, True, found.cluster or found.why)
        facts = firewall.observe(host)
        return _HostAnswer(view_of(host.name, facts), bool(facts.python3))

    everybody = (*names, *((device,) if device else ()))
    found = each(nr, look, names=everybody, workers=128, deadline=OBSERVE_SECONDS)
    told = {name: answer for name, answer in found.items() if isinstance(answer, _HostAnswer)}
    return ObservedHosts(
        {name: each.view for name, each in told.items() if each.python3},
        tuple(name for name, each in told.items() if not each.python3),
        next((answer for answer in found.values() if isinstance(answer, str)), None),
        {name: answer for name, answer in found.items() if isinstance(answer, HostFailure)},
        {name: each.cluster for name, each in told.items() if each.cluster},
    )


def pace(dealt: Sequence[Pair], rate: int, views: Mapping[str, HostView]) -> tuple[int, float]:
    """
    Return the packets a second that leave every host's connection tracking half empty, and the seconds one round takes.
    """
    load: dict[str, int] = {}
    for pair in dealt:
        number = sum(ports.bit_count() for ports in pair.probed.values())
        node = node_of(pair.source)
        load[node] = load.get(node, 0) + number
    rate = min([rate, *(room(view, load.get(name, 0), rate) for name, view in views.items())])
    return rate, max(load.values(), default=0) / rate
