"""What hosts, agents and the cluster said, beside the packets: asked for one stream at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from model.base import Address
from model.host.hostview import HostView
from model.packets.packet import RulesetVerdict
from model.report.words import Stage
from model.site.site import Site
from model.verify.address_faults import AddressFault, AddressFaults
from model.verify.evidence import RunEvidence
from model.verify.exposure import ExposedPort, taken
from model.verify.host_rulings import HostRulings, interface
from model.verify.pairs import PROTOCOLS, Pair
from model.verify.pods import is_pod, node_of
from model.verify.service_gate import gate
from model.verify.services import Services

GateAnswer = Literal["admit", "refuse", ""]


@dataclass(frozen=True, slots=True)
class ServiceIntercept:
    """
    A Service at a port of the destination.

    `answered`: somebody should answer there; `gate` says what the destination's rules in front of Services do: admit,
    refuse, or empty where nobody can tell.
    """

    service: str
    answered: bool = True
    gate: GateAnswer = ""


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """
    What is known of one stream beside its evidence.

    A source is proven when another destination saw its packets in this run, a witness when it saw another source's.
    `ingress` is the destination's ruleset on this flow, `egress` the source's; None where no ruleset was read. `owners`
    maps the destination's listening ports to process names; `owed` are ports where the declared service must answer
    (stage after). `intercepts`: ports that Services of the cluster take at the destination, `source_dnat` those that
    the source's own node takes before a packet leaves it. `fault`: why its addresses are not where the site has them.
    """

    source_alive: bool = True
    witness_alive: bool = True
    source_proven: bool = True
    witness_proven: bool = True
    ingress: RulesetVerdict | None = None
    egress: RulesetVerdict | None = None
    owners: Mapping[int, str] = field(default_factory=dict)
    declared_owners: Mapping[int, frozenset[str]] = field(default_factory=dict)
    owed: int = 0
    intercepts: Mapping[int, ServiceIntercept] = field(default_factory=dict)
    source_dnat: Mapping[int, ServiceIntercept] = field(default_factory=dict)
    fault: AddressFault | None = None


@dataclass(frozen=True, kw_only=True)
class FleetFacts:
    """
    All that is known of the fleet when the last packet has been counted.

    `sources` and `witnesses` are the ends whose agents left a record; `exposed` is what the cluster's Services take of
    the hosts' ports; `prepared` is what was judged of rules before, if anything was.
    """

    site: Site
    evidence: RunEvidence
    sources: frozenset[str]
    witnesses: frozenset[str]
    views: Mapping[str, HostView]
    stage: Stage = Stage.AUTO
    exposed: Sequence[ExposedPort] = ()
    prepared: HostRulings | None = None

    def of(self, pair: Pair, protocol: str) -> StreamFacts:
        """Return what is known of one of a pair's streams."""
        key = (pair.source, pair.address, protocol)
        if key not in self._known:
            self._known[key] = self._learn(pair, protocol)
        return self._known[key]

    @cached_property
    def _known(self) -> dict[tuple[str, Address, str], StreamFacts]:
        return {}

    def _learn(self, pair: Pair, protocol: str) -> StreamFacts:
        owners = self._services.owners(pair, protocol, self.rulings.landing(pair))
        return StreamFacts(
            source_alive=pair.source in self.sources,
            witness_alive=self.witnessed(pair),
            source_proven=self.evidence.source_proven(pair),
            witness_proven=self.evidence.witness_proven(pair),
            ingress=self.ingress(pair, protocol),
            egress=self.rulings.egress(pair, protocol),
            owners=owners,
            declared_owners=self._services.declared(pair, protocol, owners),
            owed=self._services.owed(pair, protocol),
            intercepts=self._intercepts(pair, protocol),
            source_dnat=self._source_dnat(pair, protocol),
            fault=self.addresses.of(pair),
        )

    @cached_property
    def _services(self) -> Services:
        return Services(self.site, self.views, self.stage)

    @cached_property
    def addresses(self) -> AddressFaults:
        """Which addresses are not where the site has them."""
        taken: dict[str, frozenset[str]] = {}
        for (_, address, _), stream in self.evidence.streams.items():
            if stream.taken_by:
                taken[address] = taken.get(address, frozenset()) | stream.taken_by
        return AddressFaults(self.site, self.views, taken)

    def witnessed(self, pair: Pair) -> bool:
        """Return whether an agent looked for the pair's packets where they may surface."""
        external = self.site.settings.external.get(pair.external)
        return any(name in self.witnesses for name in (external.targets if external else (pair.destination,)))

    def ingress(self, pair: Pair, protocol: str) -> RulesetVerdict | None:
        """Return what the destination's rules do with a pair's packets; None where nobody can be asked for that."""
        return self.rulings.ingress(pair, protocol, self._shown(pair))

    @cached_property
    def rulings(self) -> HostRulings:
        """The rules of every host."""
        return self.prepared or HostRulings(self.site, self.views)

    def _shown(self, pair: Pair) -> Address:
        """
        The address that the destination sees the pair's packets come from; of one that may be hidden, its own once that
        was seen.
        """
        streams = [self.evidence.of(pair, protocol) for protocol in PROTOCOLS]
        bare = any(stream.arrived & ~stream.masked for stream in streams)
        return pair.masks[0] if pair.masks and not bare else pair.source_address

    def _intercepts(self, pair: Pair, protocol: str) -> dict[int, ServiceIntercept]:
        """What Services of the cluster take of these packets before the destination's firewall sees them."""
        view = self.views.get(pair.destination)
        if view is None or not pair.dnat_ports.get(protocol):
            return {}
        shown = self._shown(pair)
        ruled = gate(view.nft, shown, pair.address, protocol, interface(view, pair, pair.address, shown))
        ports = taken(self.exposed, self.site.by_name[pair.destination], pair.address, protocol)
        return {
            port: ServiceIntercept(exposed.service, exposed.answers(pair.destination), ruled.on(port))
            for port, exposed in ports.items()
        }

    def _source_dnat(self, pair: Pair, protocol: str) -> dict[int, ServiceIntercept]:
        """
        What the source's own node leads to Services before it leaves: external addresses of theirs, which every node
        takes.
        """
        node = node_of(pair.source)
        view = self.views.get(node)
        if view is None or pair.external or not self.site.by_name[node].node:
            return {}
        ports = {port.port: port for port in self.exposed if port.protocol == protocol and port.address == pair.address}
        if not ports:
            return {}
        # Rules in front of Services meet what pods send, not what the node's own processes do.
        ruled = gate(view.nft, pair.source_address, pair.address, protocol, None) if is_pod(pair.source) else None
        return {
            port: ServiceIntercept(exposed.service, exposed.answers(node), ruled.on(port) if ruled else "admit")
            for port, exposed in ports.items()
        }
