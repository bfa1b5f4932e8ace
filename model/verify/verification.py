"""
What do packets, rules and listeners together say of the whole site: cells for every pair, outcomes for every host?
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from model import bits
from model.base import Address
from model.host.hostview import HostView
from model.packets import netfilter
from model.report.outcome import Outcome, Status
from model.report.report import Cell
from model.site.site import Site
from model.verify.cells import cells
from model.verify.evidence import RunEvidence
from model.verify.evidence_types import PairFacts, ServiceIntercept
from model.verify.exposure import ExposedPort, taken
from model.verify.pairs import EVERY_PORT, PROTOCOLS, Pair
from model.verify.pods import is_pod, node_of
from model.verify.service_gate import gate
from model.verify.services import Services
from model.verify.verdicts import contradictions, judge


@dataclass(frozen=True, kw_only=True)
class Verification:
    """
    All that a run of verification knows when the last packet has been counted.

    `sources` and `witnesses` are the hosts whose agents gave account; `exposed` is what the cluster's Services take of
    the hosts' ports.
    """

    site: Site
    pairs: Sequence[Pair]
    joined: RunEvidence
    sources: frozenset[str]
    witnesses: frozenset[str]
    views: Mapping[str, HostView]
    stage: str = "auto"
    coverage: Mapping[str, int] | None = None
    exposed: Sequence[ExposedPort] = ()

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Cells of every pair and protocol, then those that only rules can judge."""
        found = [cell for pair in self.pairs for protocol in PROTOCOLS for cell in self._cells(pair, protocol)]
        return (*found, *self._vrrp())

    @cached_property
    def disagreements(self) -> tuple[Outcome, ...]:
        """Where a host's rules say one thing and its packets or the matrix another, in one outcome a host."""
        told: dict[str, list[str]] = {}
        for pair in self.pairs:
            for protocol in PROTOCOLS:
                for line in self._disagrees(pair, protocol):
                    told.setdefault(pair.destination, []).append(line)
        return tuple(
            Outcome(
                host,
                "ruleset",
                Status.DRIFT,
                _summed("rules, matrix and packets disagree", lines),
                next=f"run `python -m flows.firewall --dry-run --limit {host}`, then without --dry-run",
                evidence=lines,
            )
            for host, lines in told.items()
        )

    def _cells(self, pair: Pair, protocol: str) -> Iterator[Cell]:
        coverage = EVERY_PORT if self.coverage is None else self.coverage.get(protocol, 0)
        packets = self.joined.packets[pair.source, str(pair.address), protocol]
        known = self._known(pair, protocol)
        if pair.probed.get(protocol, 0) or known.ingress:
            yield from cells(pair, protocol, judge(pair, protocol, packets, known), packets, coverage)

    @cached_property
    def _memory(self) -> dict[tuple[str, Address, str], PairFacts]:
        return {}

    def _known(self, pair: Pair, protocol: str) -> PairFacts:
        key = (pair.source, pair.address, protocol)
        if key not in self._memory:
            self._memory[key] = self._learn(pair, protocol)
        return self._memory[key]

    def _learn(self, pair: Pair, protocol: str) -> PairFacts:
        owners = self.services.owners(pair, protocol, self._landing(pair))
        return PairFacts(
            source_alive=pair.source in self.sources,
            witness_alive=self._seeing(pair),
            source_proven=self.joined.source_proven(pair),
            witness_proven=self.joined.witness_proven(pair),
            ingress=self._ingress(pair, protocol),
            egress=self._egress(pair, protocol),
            owners=owners,
            declared_owners=self.services.declared(pair, protocol, owners),
            owed=self.services.owed(pair, protocol),
            intercepts=self._offers(pair, protocol),
            source_dnat=self._near(pair, protocol),
        )

    @cached_property
    def services(self) -> Services:
        """What must answer by now, and by whom."""
        return Services(self.site, self.views, self.stage)

    def _seeing(self, pair: Pair) -> bool:
        external = self.site.settings.external.get(pair.external)
        return any(name in self.witnesses for name in (external.targets if external else (pair.destination,)))

    def _landing(self, pair: Pair) -> Address | None:
        """The destination's own address that a packet to the pair's address ends at: another one behind DNAT."""
        return self.site.by_name[pair.destination].speaks(pair.address.version) if pair.external else pair.address

    def _ingress(self, pair: Pair, protocol: str) -> netfilter.RulesetVerdict | None:
        view = self.views.get(pair.destination)
        landing = self._landing(pair)
        chains = view.chains.get(pair.address.version) if view else None
        if view is None or chains is None or landing is None or self.site.by_name[pair.destination].kind != "server":
            return None
        packet = netfilter.Packet(self._shown(pair), landing, protocol, self._interface(view, pair, landing))
        # A pod that its node hides meets what its node has met.
        key = (pair.destination, packet)
        if key not in self._rulings:
            self._rulings[key] = netfilter.judge(chains, "INPUT", packet)
        return self._rulings[key]

    @cached_property
    def _rulings(self) -> dict[tuple[str, netfilter.Packet], netfilter.RulesetVerdict]:
        return {}

    def _shown(self, pair: Pair) -> Address:
        """
        The address that the destination sees the pair's packets come from; of one that may be hidden, its own once that
        was seen.
        """
        found = [self.joined.packets[pair.source, str(pair.address), protocol] for protocol in PROTOCOLS]
        bare = any(packets.arrived & ~packets.masked for packets in found)
        return pair.masks[0] if pair.masks and not bare else pair.source_address

    def _interface(self, view: HostView, pair: Pair, landing: Address) -> str | None:
        """The interface that the pair's packets come in by; nobody knows it of a pod that shows its own address."""
        hidden = pair.plane != "pod" or self._shown(pair) != pair.source_address
        return view.interfaces.get(str(landing)) if hidden else None

    def _offers(self, pair: Pair, protocol: str) -> dict[int, ServiceIntercept]:
        """What Services of the cluster take of these packets before the destination's firewall sees them."""
        view = self.views.get(pair.destination)
        if view is None or not pair.dnat_ports.get(protocol):
            return {}
        interface = self._interface(view, pair, pair.address)
        guard = gate(view.nft, self._shown(pair), pair.address, protocol, interface)
        found = taken(self.exposed, self.site.by_name[pair.destination], pair.address, protocol)
        return {
            port: ServiceIntercept(each.service, each.answers(pair.destination), guard.on(port))
            for port, each in found.items()
        }

    def _near(self, pair: Pair, protocol: str) -> dict[int, ServiceIntercept]:
        """
        What the source's own node leads to Services before it leaves: external addresses of theirs, which every node
        takes.
        """
        view = self.views.get(node_of(pair.source))
        if view is None or pair.external or not self.site.by_name[node_of(pair.source)].node:
            return {}
        found = {each.port: each for each in self.exposed if each.protocol == protocol and each.address == pair.address}
        # Rules in front of Services meet what pods send, not what the node's own processes do.
        guard = gate(view.nft, pair.source_address, pair.address, protocol, None) if is_pod(pair.source) else None
        return {
            port: ServiceIntercept(
                each.service, each.answers(node_of(pair.source)), guard.on(port) if guard else "admit"
            )
            for port, each in found.items()
        }

    def _egress(self, pair: Pair, protocol: str) -> netfilter.RulesetVerdict | None:
        view = self.views.get(pair.source)
        chains = view.chains.get(pair.address.version) if view else None
        if view is None or chains is None:
            return None
        interface = view.interfaces.get(str(pair.source_address))
        packet = netfilter.Packet(pair.source_address, pair.address, protocol, interface)
        return netfilter.judge(chains, "OUTPUT", packet)

    def _disagrees(self, pair: Pair, protocol: str) -> Iterator[str]:
        packets = self.joined.packets[pair.source, str(pair.address), protocol]
        known = self._known(pair, protocol)
        if known.ingress is None:
            return
        opened = pair.open(protocol)
        flow = f"{protocol} from {pair.source} to {pair.address}"
        yield from _lines(
            "rules admit, no row opens", known.ingress.admitted & EVERY_PORT & ~opened & ~pair.tolerated(protocol), flow
        )
        yield from _lines("rules refuse, a row opens", known.ingress.refused & opened, flow)
        yield from _lines("rules cannot be judged", known.ingress.uncertain & EVERY_PORT, flow)
        dropped, passed = contradictions(pair, protocol, packets, known)
        # What was translated on the way arrived as another flow than the one the rules were asked about.
        dropped &= ~packets.translated
        yield from _lines("rules admit, packets were dropped", dropped, flow)
        yield from _lines("rules refuse, packets passed", passed, flow)

    def _vrrp(self) -> Iterator[Cell]:
        """
        VRRP cannot be probed without joining the election: the kernel's rules alone are asked, of hosts that both gave
        account.
        """
        seen = {(pair.source, pair.address): pair for pair in self.pairs if pair.plane == "host"}
        for pair in seen.values():
            rows = [row for each in pair.openings if each.protocol == "vrrp" for row in each.rows]
            ruled = self._ingress(pair, "vrrp")
            hole = (
                not rows and ruled is not None and ruled.admitted and pair.source in self.sources and self._seeing(pair)
            )
            if not rows and not hole:
                continue
            verdict, word, culprit = ("violation", "open", "destination-firewall") if hole else self._ruled_vrrp(pair)
            yield Cell(
                source=pair.source,
                destination=pair.destination,
                address=str(pair.address),
                protocol="vrrp",
                port_lo=0,
                port_hi=0,
                plane="host",
                expected="closed" if hole else "open",
                seen=word,
                verdict=verdict,
                culprit=culprit,
                rows=tuple(rows),
                note="judged by the kernel's rules alone",
            )

    def _ruled_vrrp(self, pair: Pair) -> tuple[str, str, str]:
        """Verdict, what the rules do, and the culprit."""
        if pair.source not in self.sources:
            return "unproven", "unknown", "source"
        ruled = self._ingress(pair, "vrrp")
        if ruled is None or ruled.uncertain or not self._seeing(pair):
            return "unproven", "unknown", "witness"
        return ("ok", "open", "") if ruled.admitted else ("violation", "closed", "destination-firewall")


def _lines(what: str, ports: int, flow: str) -> Iterator[str]:
    if ports:
        shown = ", ".join(f"{low}-{high}" if high > low else str(low) for low, high in bits.to_intervals(ports)[:8])
        yield f"{what}: {flow}: {shown}"


def _summed(what: str, lines: Sequence[str]) -> str:
    more = f"; and {len(lines) - 1} more in the report" if len(lines) > 1 else ""
    return f"{what}: {lines[0]}{more}"
