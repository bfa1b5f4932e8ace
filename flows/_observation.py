"""What do the hosts and the perimeter's device say of themselves before the first probe?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows._hosts import HostFailure, each
from flows._views import room, view_of
from model.hostview import HostView
from model.pairs import PROTOCOLS, Pair
from model.pods import node_of
from remote import perimeter
from remote.facts import firewall
from remote.facts.firewall import FirewallFacts

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.inventory import Host

OBSERVE_SECONDS = 25.0


@dataclass(frozen=True, slots=True)
class Observed:
    """
    Facts of every host that answered, failures of the others, and the device's rules as text (None: not read).

    `views` are of those hosts alone that can run an agent: where none can nothing is proven, and rules are no finding of their own.
    """

    facts: Mapping[str, FirewallFacts]
    views: Mapping[str, HostView]
    rules: str | None
    failures: Mapping[str, HostFailure]

    def listening(self) -> dict[str, dict[str, int]]:
        """Ports something listens on, by host and protocol."""
        return {name: {word: view.open_ports(word) for word in PROTOCOLS} for name, view in self.views.items()}


def observe(nr: Nornir, names: Sequence[str], device: str | None, platform: str) -> Observed:
    """
    Read every host's facts and the device's rules at once; rules of a host that cannot be read are that host's failure.
    """

    def look(host: Host) -> tuple[FirewallFacts, HostView] | str:
        if host.name == device:
            return perimeter.read(host, platform)
        facts = firewall.observe(host)
        return facts, view_of(host.name, facts)

    everybody = (*names, *((device,) if device else ()))
    found = each(nr, look, names=everybody, workers=128, deadline=OBSERVE_SECONDS)
    seen = {name: answer for name, answer in found.items() if isinstance(answer, tuple)}
    return Observed(
        {name: facts for name, (facts, _) in seen.items()},
        {name: view for name, (facts, view) in seen.items() if facts.python3},
        next((answer for answer in found.values() if isinstance(answer, str)), None),
        {name: answer for name, answer in found.items() if isinstance(answer, HostFailure)},
    )


def pace(dealt: Sequence[Pair], rate: int, facts: Mapping[str, FirewallFacts]) -> tuple[int, float]:
    """Return the packets a second that leave every host's connection tracking half empty, and the seconds one round takes."""
    load: dict[str, int] = {}
    for pair in dealt:
        number = sum(ports.bit_count() for ports in pair.probed.values())
        node = node_of(pair.source)
        load[node] = load.get(node, 0) + number
    rate = min([rate, *(room(fact, load.get(name, 0), rate) for name, fact in facts.items())])
    return rate, max(load.values(), default=0) / rate
