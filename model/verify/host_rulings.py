"""What the kernels' rules of both ends do with a pair's packets, before and after any packet was seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address

from model.base import Address
from model.host.hostview import HostView
from model.packets import passage
from model.packets.packet import Packet, RulesetVerdict
from model.report.words import Plane
from model.site.site import Site
from model.verify.pairs import Pair
from model.verify.pods import is_component
from model.verify.service_gate import before_firewall


@dataclass(frozen=True)
class HostRulings:
    """The rules of every host that was read, asked for one pair at a time."""

    site: Site
    views: Mapping[str, HostView]

    def ingress(self, pair: Pair, protocol: str, shown: Address) -> RulesetVerdict | None:
        """
        Return what the destination's rules do with packets that come from `shown`; None where they were not read, or
        are not what is asked about: pods of components are held by policies at their own node.
        """
        view, landing = self.views.get(pair.destination), self.landing(pair)
        if view is None or landing is None or pair.address.version not in view.chains or is_component(pair.source):
            return None
        if self.site.by_name[pair.destination].kind != "server":
            return None
        packet = Packet(shown, landing, protocol, interface(view, pair, landing, shown))
        # A pod that its node hides meets what its node has met.
        key = (pair.destination, packet)
        if key not in self._ingress:
            machines = self.site.machine_networks
            ruled = passage.judge(view.kernel, "in", packet, self._own(pair.destination), machines)
            if any(shown in cidr for cidr in self.site.settings.kubernetes.pod_cidrs):
                ruled = ruled.within(before_firewall(view.nft, shown, landing, protocol))
            self._ingress[key] = ruled
        return self._ingress[key]

    def egress(self, pair: Pair, protocol: str) -> RulesetVerdict | None:
        """Return what the source's own rules do with its packets; None where they were not read."""
        view = self.views.get(pair.source)
        if view is None or pair.address.version not in view.chains:
            return None
        outward = view.interfaces.get(str(pair.source_address))
        packet = Packet(pair.source_address, pair.address, protocol, outward)
        key = (pair.source, packet)
        if key not in self._egress:
            self._egress[key] = passage.judge(view.kernel, "out", packet)
        return self._egress[key]

    def landing(self, pair: Pair) -> Address | None:
        """The destination's own address that a packet to the pair's address ends at: another one behind DNAT."""
        return self.site.by_name[pair.destination].speaks(pair.address.version) if pair.external else pair.address

    def contested(self, pair: Pair, protocol: str) -> int:
        """
        Return the ports of which somebody's rule beside the firewalls decides, or nobody can tell what is decided: they
        are to be probed.
        """
        if pair.destination not in self.site.by_name:
            return 0
        ports = 0
        for ruled in self._every(pair, protocol):
            ports |= ruled.contested if ruled else 0
        return ports

    def unsendable(self, pair: Pair, protocol: str) -> int:
        """
        Return the ports whose packets the source drops at its own interface: a sender hears of full queues there, and
        waits.
        """
        ruled, ports = self.egress(pair, protocol), 0
        for ruling in ruled.rulings if ruled else ():
            ports |= ruling.ports if ruling.at_device else 0
        return ports

    def _every(self, pair: Pair, protocol: str) -> Iterator[RulesetVerdict | None]:
        yield self.egress(pair, protocol)
        for shown in (pair.source_address, *pair.masks):
            yield self.ingress(pair, protocol, shown)

    def _own(self, host: str) -> frozenset[Address]:
        if host not in self._addresses:
            self._addresses[host] = frozenset(map(ip_address, self.views[host].interfaces))
        return self._addresses[host]

    @cached_property
    def _addresses(self) -> dict[str, frozenset[Address]]:
        return {}

    @cached_property
    def _ingress(self) -> dict[tuple[str, Packet], RulesetVerdict]:
        return {}

    @cached_property
    def _egress(self) -> dict[tuple[str, Packet], RulesetVerdict]:
        return {}


def interface(view: HostView, pair: Pair, landing: Address, shown: Address) -> str | None:
    """The interface that the pair's packets come in by; nobody knows it of a pod that shows its own address."""
    hidden = pair.plane != Plane.POD or shown != pair.source_address
    return view.interfaces.get(str(landing)) if hidden else None
