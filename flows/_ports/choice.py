"""Which pairs does a run of verification look at, before and after it is known what the cluster adds?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from flows._ports.cluster import ClusterView
from model.errors import SelectionError
from model.site.select import select
from model.site.site import Site
from model.verify import exposure
from model.verify import pairs as pairing
from model.verify import pods as podding
from model.verify.pairs import Depth, Pair
from model.verify.pods import node_of

PLANES = ("host", "pod", "external")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """What the command line asked for; `only` holds ports by protocol, None for the depth's own choice."""

    depth: Depth = "boundaries"
    stage: str = "auto"
    planes: tuple[str, ...] = PLANES
    rate: int = 20_000
    source: str | None = None
    destination: str | None = None
    only: Mapping[str, int] | None = None


@dataclass(frozen=True)
class PairSelection:
    """The hosts that a run may look at; a pod is chosen where its node is."""

    site: Site
    options: ProbeOptions
    limit: frozenset[str] | None
    sources: frozenset[str] | None
    destinations: frozenset[str] | None

    def holds(self, pair: Pair) -> bool:
        """Return whether a pair is to be looked at."""
        source, destination = node_of(pair.source), node_of(pair.destination)
        return (
            (self.limit is None or bool(self.limit & {source, destination}))
            and (self.sources is None or source in self.sources)
            and (self.destinations is None or destination in self.destinations)
        )

    def pairs(self) -> tuple[Pair, ...]:
        """Return the pairs of hosts of the chosen planes. Raises `SelectionError` where there are none."""
        chosen = tuple(filter(self.holds, pairing.pairs(self.site, self.options.planes)))
        if not chosen and {"host", "external"} & set(self.options.planes):
            raise SelectionError(
                "no pair of hosts has both ends selected; check --limit, --source, --destination and --plane"
            )
        return chosen

    def names(self, chosen: Iterable[Pair]) -> list[str]:
        """Return the hosts that take part; those whose pods would speak stand for them."""
        standing = filter(self.holds, pairing.pairs(self.site, ("host",))) if "pod" in self.options.planes else ()
        return ends(self.site, (*chosen, *standing))

    def dealt(
        self, chosen: Iterable[Pair], cluster: ClusterView, listeners: Mapping[str, Mapping[str, int]]
    ) -> tuple[Pair, ...]:
        """Return the pairs with the ports to probe, those that the cluster adds among them."""
        site, options = self.site, self.options
        holders = cluster.holders or {}
        if "host" in options.planes:
            chosen = (*chosen, *filter(self.holds, pairing.endpoint_pairs(site, holders)))
        pods: Iterable[Pair] = podding.pod_pairs(site, cluster.pods, holders) if "pod" in options.planes else ()
        hosts = tuple(self._led(pair, cluster) for pair in chosen)
        speaking = tuple(self._led(pair, cluster) for pair in filter(self.holds, pods))
        return (
            *pairing.with_ports(site, hosts, options.depth, listeners, options.only),
            *podding.with_ports(site, speaking, listeners, options.only),
        )

    def _led(self, pair: Pair, cluster: ClusterView) -> Pair:
        if not cluster.exposed or pair.destination not in self.site.by_name:
            return pair
        return replace(pair, dnat_ports=exposure.dnat_ports(cluster.exposed, self.site, pair))


def choice(site: Site, options: ProbeOptions, limited: Iterable[str] | None) -> PairSelection:
    """Return what the command line selects; `limited` are the hosts of --limit, None without it."""

    def chosen(words: str | None) -> frozenset[str] | None:
        return frozenset(select(site, words)) if words else None

    limit = None if limited is None else frozenset(limited)
    return PairSelection(site, options, limit, chosen(options.source), chosen(options.destination))


def vouched(
    site: Site, dealt: Sequence[Pair], cluster: ClusterView, only: Mapping[str, int] | None
) -> tuple[Pair, ...]:
    """
    Return the pairs, and beside them what shows that pods' agents work: a node reaches its own pod, and a pod its own
    node.

    Where cells speak of chosen ports alone, what a border stops needs a port that it does not stop.
    """
    if only is not None:
        dealt = [pairing.vouching(pair) if pair.border else pair for pair in dealt]
    taken = {(pair.source, pair.address) for pair in dealt}
    concerned = {end for pair in dealt for end in (pair.source, pair.destination)}
    pods = [pod for pod in cluster.pods if pod.end in concerned]
    return (*dealt, *(pair for pair in podding.controls(pods, site) if (pair.source, pair.address) not in taken))


def ends(site: Site, chosen: Iterable[Pair]) -> list[str]:
    """Return the hosts that take part, external addresses with every host behind them, in the inventory's order."""
    found: set[str] = set()
    for pair in chosen:
        external = site.settings.external.get(pair.external)
        found |= {node_of(pair.source), node_of(pair.destination), *(external.targets if external else ())}
    return in_order(site, found)


def in_order(site: Site, names: Collection[str]) -> list[str]:
    """Return machines in the inventory's order."""
    return [machine.name for machine in site.machines if machine.name in names]
