"""The base chains that netfilter has on a packet's way into a host or out of it, in the kernel's order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from model.packets.iptables_save import Chains, Step
from model.packets.kernel_rules import PLACES, KernelRules, at_devices
from model.packets.known_rules import FIREWALL_CHAINS
from model.packets.nft_ruleset import Chain
from model.packets.packet import Packet

Way = Literal["in", "out"]
_HOOKS: dict[Way, tuple[str, ...]] = {
    "in": ("ingress", "prerouting", "input"),
    "out": ("output", "postrouting", "egress"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TableStage:
    """A hook's own chain in a table of iptables."""

    place: tuple[int, int]
    hook: str
    tool: str
    table: str
    chains: Chains

    @property
    def translates(self) -> bool:
        """True where addresses are translated: of all such chains the first that does so has done it."""
        return self.table == "nat"

    @property
    def firewall(self) -> bool:
        """True where the host's own firewall stands."""
        return self.table == "filter" and not self.tool.endswith("-legacy")

    @property
    def with_firewall(self) -> bool:
        """True for the rules of any iptables that stand where the host's own firewall admits or refuses."""
        return self.table == "filter" and self.hook == "input"

    def beside(self, step: Step | None) -> bool:
        """
        Return whether a rule that decides here, or the policy (None), is somebody else's than the host's own firewall.

        Of what comes in, the rules around it are told apart by their place. Out of the host it lets everything.
        """
        if not self.firewall:
            return True
        if self.hook == "input" or step is None:
            return False
        return not any(name.startswith(FIREWALL_CHAINS) for name in (step.chain, step.target))


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeStage:
    """A base chain of nftables' own."""

    place: tuple[int, int]
    hook: str
    chain: Chain

    @property
    def translates(self) -> bool:
        """True where addresses are translated: of all such chains the first that does so has done it."""
        return self.chain.kind == "nat"

    @property
    def with_firewall(self) -> bool:
        """True at the hook of the host's own firewall."""
        return self.hook == "input"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStage:
    """What stands at devices, outside those chains, in words."""

    place: tuple[int, int]
    words: str
    translates: bool = False
    with_firewall: bool = False


Stage = TableStage | NativeStage | DeviceStage


def stages(rules: KernelRules, way: Way, packet: Packet) -> list[Stage]:
    """Return the chains that a packet meets and that do anything, in the order it meets them."""
    return sorted(_stages(rules, way, packet), key=lambda stage: stage.place)


def _stages(rules: KernelRules, way: Way, packet: Packet) -> Iterator[Stage]:
    version = packet.destination.version
    for words in at_devices(rules, packet.interface, way):
        yield DeviceStage(place=(-1 if way == "in" else len(_HOOKS[way]), 0), words=words)
    for order, hook in enumerate(_HOOKS[way]):
        for tool, table, chains in rules.iptables(version):
            for there, name, priority in PLACES:
                if (there, name) == (hook, table) and not chains.idle(hook.upper()):
                    yield TableStage(place=(order, priority), hook=hook, tool=tool, table=table, chains=chains)
        for chain in rules.own(hook, version):
            if (chain.rules or chain.policy != "accept") and _meets(chain, packet):
                yield NativeStage(place=(order, chain.priority), hook=hook, chain=chain)


def _meets(chain: Chain, packet: Packet) -> bool:
    return not chain.devices or packet.interface is None or packet.interface in chain.devices
