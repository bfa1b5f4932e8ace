"""The pairs that a run of verification looks at, before and after it is known what the cluster adds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from flows._ports.cluster import ClusterView
from model.errors import SelectionError
from model.report.words import Plane, Stage
from model.site.select import select
from model.site.site import Site
from model.verify import component_pods
from model.verify import pods as podding
from model.verify.address_faults import AddressFaults
from model.verify.exposure import dnat_ports
from model.verify.host_rulings import HostRulings
from model.verify.pairs import PROTOCOLS, Pair, endpoint_pairs, pairs
from model.verify.pods import node_of
from model.verify.probed_ports import Depth, controls, count, vouching, with_ports

PLANES = tuple(Plane)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """What the command line asked for; `only` holds ports by protocol, None for the depth's own choice."""

    depth: Depth = "boundaries"
    stage: Stage = Stage.AUTO
    planes: tuple[Plane, ...] = PLANES
    rate: int = 20_000
    source: str | None = None
    destination: str | None = None
    only: Mapping[str, int] | None = None


@dataclass(frozen=True)
class PairSelection:
    """The hosts that a run may look at; a pod is chosen where its node is."""

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


@dataclass(frozen=True, kw_only=True)
class DealtPairs:
    """Pairs with their ports: those that cells are about, and `fired`, with those beside them that show ends work."""

    pairs: tuple[Pair, ...]
    fired: tuple[Pair, ...]
    probes: int


@dataclass(frozen=True, kw_only=True)
class ChosenPairs:
    """
    The pairs of hosts that are selected, without ports yet.

    `hosts` take part in them, those whose pods would speak among them; `controls` are pairs with a probe each that a
    narrowed run needs beside its own; `observed` are the hosts of both, in the inventory's order.
    """

    site: Site
    options: ProbeOptions
    selection: PairSelection
    pairs: tuple[Pair, ...]
    controls: tuple[Pair, ...]
    hosts: tuple[str, ...]
    observed: tuple[str, ...]

    def deal(self, cluster: ClusterView, rulings: HostRulings) -> DealtPairs:
        """
        Deal out the ports to probe, to the pairs that the cluster adds as well, by what listens on hosts and by the
        rules there that may decide in their firewalls' stead.

        Raises `SelectionError` where no port is left.
        """
        dealt = self._dealt(cluster, rulings)
        probes = count(dealt)
        if not probes and {Plane.HOST, Plane.EXTERNAL} & set(self.options.planes):
            raise SelectionError("no port is left to probe; widen --ports, --plane or the selection")
        faults = AddressFaults(self.site, rulings.views)
        # An agent told to speak from an address that its host lacks would send nothing at all.
        fired = tuple(
            replace(pair, probed={}) if faults.lacks(pair.source, str(pair.source_address)) else pair
            for pair in (*_vouched(self.site, dealt, cluster, self.options.only), *self.controls)
        )
        return DealtPairs(pairs=dealt, fired=fired, probes=probes)

    def _dealt(self, cluster: ClusterView, rulings: HostRulings) -> tuple[Pair, ...]:
        site, options, holds = self.site, self.options, self.selection.holds
        holders = cluster.holders or {}
        listeners = {name: {word: view.open_ports(word) for word in PROTOCOLS} for name, view in rulings.views.items()}
        hosts: Iterable[Pair] = self.pairs
        if Plane.HOST in options.planes:
            hosts = (*hosts, *filter(holds, endpoint_pairs(site, holders)))
        pods: Iterable[Pair] = ()
        components: Iterable[Pair] = ()
        if Plane.POD in options.planes:
            pods = podding.pod_pairs(site, cluster.pods, holders)
            components = component_pods.component_pairs(site, cluster.pods, cluster.components)
        between = tuple(self._with_dnat(pair, cluster) for pair in hosts)
        speaking = tuple(self._with_dnat(pair, cluster) for pair in filter(holds, pods))
        held = tuple(self._with_dnat(pair, cluster) for pair in filter(holds, components))
        return (
            *with_ports(site, between, options.depth, listeners, options.only, rulings),
            *podding.with_ports(site, speaking, listeners, options.only, rulings),
            *component_pods.with_ports(site, held, options.only),
        )

    def _with_dnat(self, pair: Pair, cluster: ClusterView) -> Pair:
        if not cluster.exposed or pair.destination not in self.site.by_name:
            return pair
        return replace(pair, dnat_ports=dnat_ports(cluster.exposed, self.site, pair))


def choose(site: Site, options: ProbeOptions, limited: Iterable[str] | None) -> ChosenPairs:
    """
    Return what the command line selects; `limited` are the hosts of --limit, None without it.

    Raises `SelectionError` where nobody, or no pair, is selected.
    """
    selection = PairSelection(
        None if limited is None else frozenset(limited),
        *(frozenset(select(site, words)) if words else None for words in (options.source, options.destination)),
    )
    chosen = tuple(filter(selection.holds, pairs(site, options.planes)))
    if not chosen and {Plane.HOST, Plane.EXTERNAL} & set(options.planes):
        raise SelectionError(
            "no pair of hosts has both ends selected; check --limit, --source, --destination and --plane"
        )
    everything = pairs(site, PLANES)
    # Where pods are asked, the hosts whose pods would speak stand for them.
    standing = filter(selection.holds, pairs(site, (Plane.HOST,))) if Plane.POD in options.planes else ()
    beside = controls(everything, chosen)
    hosts = _ends(site, (*chosen, *standing))
    return ChosenPairs(
        site=site,
        options=options,
        selection=selection,
        pairs=chosen,
        controls=beside,
        hosts=_in_order(site, hosts),
        observed=_in_order(site, hosts | _ends(site, beside)),
    )


def _vouched(
    site: Site, dealt: Sequence[Pair], cluster: ClusterView, only: Mapping[str, int] | None
) -> tuple[Pair, ...]:
    """
    Return the pairs, and beside them what shows that pods' agents work: a node reaches its own pod, and a pod its own
    node.

    Where cells speak of chosen ports alone, what a border stops needs a port that it does not stop.
    """
    if only is not None:
        dealt = [vouching(pair) if pair.border else pair for pair in dealt]
    taken = {(pair.source, pair.address) for pair in dealt}
    concerned = {end for pair in dealt for end in (pair.source, pair.destination)}
    pods = [pod for pod in cluster.pods if pod.end in concerned]
    components = [pod for pod in cluster.components if pod.end in concerned]
    beside = (*podding.controls(pods, site), *component_pods.controls(site, components))
    return (*dealt, *(pair for pair in beside if (pair.source, pair.address) not in taken))


def _ends(site: Site, chosen: Iterable[Pair]) -> set[str]:
    """Return the hosts that take part, external addresses with every host behind them."""
    names: set[str] = set()
    for pair in chosen:
        external = site.settings.external.get(pair.external)
        names |= {node_of(pair.source), node_of(pair.destination), *(external.targets if external else ())}
    return names


def _in_order(site: Site, names: Collection[str]) -> tuple[str, ...]:
    return tuple(machine.name for machine in site.machines if machine.name in names)
