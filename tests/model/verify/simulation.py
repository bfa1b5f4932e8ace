"""
A fleet that exists on paper: hosts filter by rules rendered from the matrix, a router stands between, faults can be put
in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from model import bits
from model.base import Address
from model.host.hostview import HostView
from model.matrix.matrix import host_rules
from model.packets.netfilter import Chains, Packet, RulesetVerdict, judge, parse
from model.site.hosts import Machine
from model.site.site import Site
from model.verify.evidence import RunEvidence, join
from model.verify.facts import FleetFacts
from model.verify.pairs import PROTOCOLS, Pair, pairs
from model.verify.probed_ports import Depth, with_ports
from model.verify.probing import AgentRecords, PlainConnect, SeenStream, SentStream, WitnessRecord
from model.verify.verification import Verification
from tests.mutation import loaded

INVENTORY = Path(__file__).parents[3] / "inventory"
HOSTS = ("cp-1", "cp-2", "w-1", "db-1", "st-1", "st-2", "call-1", "call-2", "li-1", "router-1", "vantage-1")


@cache
def reference() -> Site:
    """The committed site with one or two hosts a role."""
    site = loaded()
    return replace(site, machines=tuple(machine for machine in site.machines if machine.name in HOSTS))


def nothing(_pair: Pair, _protocol: str) -> int:
    """No port at all."""
    return 0


@dataclass
class Fleet:
    """
    What may be wrong: rules put first in a host's INPUT or OUTPUT, ports (protocol, bitset) the router drops or lets
    through to an address, hosts that are dead, hosts without a witness, hosts that the router hides senders from.
    """

    site: Site
    first_in: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    first_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    routed_off: Callable[[Pair, str], int] = nothing
    routed_on: Callable[[Pair, str], int] = nothing
    dead: frozenset[str] = frozenset()
    blind: frozenset[str] = frozenset()
    masked: frozenset[str] = frozenset()
    rejecting: frozenset[str] = frozenset()

    def verification(self, depth: Depth = "boundaries", planes: Iterable[str] = ("host", "external")) -> Verification:
        """Verify the fleet, as a run over real hosts would."""
        chosen = self.chosen(depth, planes)
        records = self.records(chosen)
        return self.judged(chosen, records, join(self.site, chosen, records))

    def chosen(self, depth: Depth = "boundaries", planes: Iterable[str] = ("host", "external")) -> tuple[Pair, ...]:
        """The pairs of a run, with their ports."""
        return with_ports(self.site, pairs(self.site, tuple(planes)), depth, {})

    def records(self, chosen: Iterable[Pair]) -> AgentRecords:
        """What agents would tell if nothing got lost."""
        names = [machine.name for machine in (*self.site.servers, *self.site.vantages)]
        sent: dict[str, list[SentStream]] = {name: [] for name in names if name not in self.dead}
        seen: dict[str, list[SeenStream]] = {name: [] for name in names if name not in self.dead | self.blind}
        for pair in chosen:
            for protocol in PROTOCOLS:
                self._fire(pair, protocol, sent, seen)
        connects = (PlainConnect("controller", 1, 22, True, True),)
        return AgentRecords(
            {name: tuple(rows) for name, rows in sent.items()},
            {name: WitnessRecord(tuple(rows), connects, 0) for name, rows in seen.items()},
        )

    def judged(self, chosen: tuple[Pair, ...], records: AgentRecords, evidence: RunEvidence) -> Verification:
        """What a run with this evidence comes to."""
        views = {machine.name: self._view(machine) for machine in self.site.servers if machine.name not in self.dead}
        return Verification(
            facts=FleetFacts(
                site=self.site,
                evidence=evidence,
                sources=frozenset(records.sent),
                witnesses=frozenset(records.seen),
                views=views,
            ),
            pairs=chosen,
        )

    def _fire(
        self, pair: Pair, protocol: str, sent: dict[str, list[SentStream]], seen: dict[str, list[SeenStream]]
    ) -> None:
        if pair.source in self.dead:
            return
        probed = pair.probed[protocol]
        left = probed & self._ruled(pair.source, "OUTPUT", pair.source_address, pair.address, protocol).admitted
        arrived = left
        if pair.border:
            arrived = left & ~self.routed_off(pair, protocol) & (pair.open(protocol) | self.routed_on(pair, protocol))
        landing = self.site.by_name[pair.destination].speaks(pair.address.version) if pair.external else pair.address
        assert landing is not None
        shown = pair.source_address
        if pair.border and pair.destination in self.masked:
            shown = next(address for address in self.site.by_name["router-1"].own if address.version == landing.version)
        passed = arrived & self._ruled(pair.destination, "INPUT", shown, landing, protocol).admitted
        rst = arrived & ~passed if pair.destination in self.rejecting and protocol == "tcp" else passed
        sent[pair.source].append(
            SentStream(
                target=pair.destination,
                address=str(pair.address),
                protocol=protocol,
                sent=left,
                refused=probed & ~left,
                unroutable={},
                synack=0,
                rst=rst,
                data=0,
                icmp={},
            )
        )
        if pair.destination in seen:
            seen[pair.destination].append(
                SeenStream(
                    source=pair.source,
                    address=str(pair.address),
                    protocol=protocol,
                    arrived=arrived,
                    passed=passed,
                    source_seen=str(shown),
                    destination_seen=str(landing),
                )
            )

    def _ruled(self, name: str, hook: str, source: Address, destination: Address, protocol: str) -> RulesetVerdict:
        machine = self.site.by_name[name]
        if machine.kind != "server":
            return RulesetVerdict(bits.from_intervals([(0, 65535)]), 0, 0)
        chains = self._view(machine).chains[destination.version]
        return judge(chains, hook, Packet(source, destination, protocol, "eth0"))  # type: ignore[arg-type]

    def _view(self, machine: Machine) -> HostView:
        first = self.first_in.get(machine.name, ()), self.first_out.get(machine.name, ())
        interfaces = {str(address): "eth0" for _, address in machine.every}
        return HostView(
            chains={version: chains(self.site, machine, version, *first) for version in (4, 6)}, interfaces=interfaces
        )


@cache
def chains(site: Site, machine: Machine, version: int, incoming: tuple[str, ...], outgoing: tuple[str, ...]) -> Chains:
    """A host's filter table as the matrix wants it, after what a fault puts first."""
    lines = ["*filter", ":INPUT DROP [0:0]", ":OUTPUT ACCEPT [0:0]"]
    lines += [f"-A INPUT {rule}" for rule in incoming if _of(version, rule)]
    lines += [f"-A OUTPUT {rule}" for rule in outgoing]
    for rule in host_rules(site, machine):
        if rule.version != version:
            continue
        to = f"-d {rule.destination} " if rule.destination else ""
        low, high = rule.interval
        ports = f"--dport {low}:{high} " if rule.protocol != "vrrp" else ""
        target = "ACCEPT" if rule.action == "allow" else "DROP"
        lines.append(f"-A INPUT -s {rule.source} {to}-p {rule.protocol} {ports}-j {target}")
    return parse("\n".join([*lines, "COMMIT", ""]))


def _of(version: int, rule: str) -> bool:
    """A rule that names a source belongs to that source's family, any other to both."""
    words = rule.split()
    return "-s" not in words or ip_address(words[words.index("-s") + 1]).version == version
