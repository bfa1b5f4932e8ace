"""Which declared services must answer at a host by now, and which process may hold their ports."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from model import bits
from model.base import Address
from model.host.hostview import HostView, is_named
from model.matrix.matrix import Opening, rows_to
from model.packets.sockets import Listener
from model.report.words import Stage
from model.site.hosts import Machine
from model.site.rows import Row
from model.site.site import Site
from model.verify.pairs import Pair

# A row of so many ports means a service on each of them; of a wider one the service takes what it needs.
_FEW = 8
_PHASES = ("cluster", "rollout")


@dataclass(frozen=True)
class Services:
    """The site's declared services, what listens on its hosts, and the stage (auto, before, after) that it is in."""

    site: Site
    views: Mapping[str, HostView]
    stage: Stage = Stage.AUTO

    def owners(self, pair: Pair, protocol: str, landing: Address | None) -> dict[int, str]:
        """Return the processes that listen at the address, by port, where somebody could tell them."""
        view = self.views.get(pair.destination)
        listening = view.listening(protocol, landing) if view and landing else {}
        return {port: owner for port, owner in listening.items() if owner}

    def declared(self, pair: Pair, protocol: str, listening: Collection[int]) -> dict[int, frozenset[str]]:
        """
        Return whom the rows name as owner of each port that the pair may reach.

        Of wide TCP rows only the ports that something listens on; a wide UDP row may hold sockets of anybody who asks
        others.
        """
        owners: dict[int, frozenset[str]] = {}
        for opening in pair.openings:
            if opening.protocol != protocol:
                continue
            low, high = opening.interval
            rows = [self._rows[name] for name in opening.rows]
            few = any(_names_each(row, opening) for row in rows)
            chosen = (
                range(low, high + 1)
                if few
                else [port for port in listening if low <= port <= high and protocol == "tcp"]
            )
            names = frozenset(name for row in rows for name in row.process)
            owners.update(dict.fromkeys(chosen, names) if names else {})
        return owners

    def owed(self, pair: Pair, protocol: str) -> int:
        """
        Return the ports on which the pair must get an answer by now.

        At the API's own address only the endpoint's. A service that serves the host's address of the other family
        alone, as etcd does, owes nothing at this one.
        """
        if protocol != "tcp":
            return 0
        phases = self.phases(pair.destination)
        owed = 0
        for opening in pair.openings:
            rows = [self._rows[name] for name in opening.rows if opening.protocol == protocol]
            if any(row.process and row.phase in phases and _names_each(row, opening) for row in rows):
                owed |= bits.from_intervals([opening.interval])
        endpoint = self.site.settings.kubernetes.endpoint
        if pair.address in endpoint.addresses:
            return owed & 1 << endpoint.port
        return owed & ~self._elsewhere(pair)

    def _elsewhere(self, pair: Pair) -> int:
        """Ports of declared services that listen at the host's address of the other family, and not at this one."""
        view = self.views.get(pair.destination)
        other = self.site.by_name[pair.destination].speaks(10 - pair.address.version) if view else None
        if view is None or other is None or pair.external:
            return 0
        here, there = view.listening("tcp", pair.address), view.listening("tcp", other)
        named = self.declared(pair, "tcp", ())
        return bits.from_ports(
            port for port, names in named.items() if port not in here and is_named(there.get(port, ""), names)
        )

    def phases(self, name: str) -> frozenset[str]:
        """
        Return the phases of the deployment that this host has behind it.

        A phase is over where a service that it brings listens. Stage `after` says that the cluster is there, and
        everything else as well where no cluster is to be seen.
        """
        if self.stage == Stage.BEFORE:
            return frozenset()
        if name not in self._known:
            seen = self._seen(name)
            if self.stage == Stage.AFTER:
                seen |= {"cluster"} if self._cluster else set(_PHASES)
            self._known[name] = frozenset(_PHASES if "rollout" in seen else seen)
        return self._known[name]

    @cached_property
    def _known(self) -> dict[str, frozenset[str]]:
        return {}

    @cached_property
    def _rows(self) -> Mapping[str, Row]:
        return {row.name: row for row in self.site.rows}

    @cached_property
    def _cluster(self) -> bool:
        return any("cluster" in self._seen(name) for name in self.views)

    def _seen(self, name: str) -> set[str]:
        view = self.views.get(name)
        if view is None:
            return set()
        return {
            row.phase
            for row in _own_rows(self.site, self.site.by_name[name])
            for low, high in row.intervals
            if high - low < _FEW and any(_serves(listener, row, low, high) for listener in view.listeners)
        }


def _serves(listener: Listener, row: Row, low: int, high: int) -> bool:
    return (
        listener.protocol == row.protocol and low <= listener.port <= high and is_named(listener.process, row.process)
    )


def _names_each(row: Row, opening: Opening) -> bool:
    """Return whether the row means each single port of the opening."""
    within = (interval for interval in row.intervals if interval[0] <= opening.interval[0] <= interval[1])
    return any(high - low < _FEW for low, high in within)


def _own_rows(site: Site, machine: Machine) -> Iterator[Row]:
    """Rows that lead to the machine, save those that any server answers from the start."""
    return (row for row in rows_to(site, machine) if "management" not in row.source_ends)
