"""The whole way of a new packet into a host or out of it, through every chain that netfilter has on it.

The host's own firewall stands at the end of the way in; what others set before it decides first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Literal

from model.base import Address
from model.packets.iptables_save import Chains
from model.packets.iptables_walk import TableWalk
from model.packets.kernel_rules import PLACES, KernelRules
from model.packets.known_rules import PUBLISHING_CHAINS
from model.packets.marks import Marks
from model.packets.netfilter import every_port
from model.packets.nft_match import NftPacket
from model.packets.nft_ruleset import Chain
from model.packets.nft_walk import Walk
from model.packets.nft_words import words
from model.packets.packet import Packet, RulesetVerdict
from model.packets.ruling import Effect, NamedRule, Ruling

Way = Literal["in", "out"]
_HOOKS: dict[Way, tuple[str, ...]] = {
    "in": ("ingress", "prerouting", "input"),
    "out": ("output", "postrouting", "egress"),
}
_FIREWALL = {"in": ("input", "filter"), "out": ("output", "filter")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """A base chain on the way: of iptables (`chains`), or of nftables (`chain`)."""

    place: tuple[int, int]
    hook: str
    tool: str
    table: str = ""
    chains: Chains | None = None
    chain: Chain | None = None

    @property
    def translates(self) -> bool:
        """True where addresses are translated: of all such chains the first that does so has done it."""
        return self.table == "nat" or (self.chain is not None and self.chain.kind == "nat")


@dataclass(frozen=True, slots=True)
class _Turn:
    """Ports that a rule sends to another address or port; None means that they keep theirs."""

    rule: NamedRule
    ports: int
    address: Address | None
    port: int | None
    readable: bool = True


@dataclass(slots=True)
class _Passage:
    """A packet under way: `rest` goes on, `rulings` are those of rules beside the host's firewall."""

    rules: KernelRules
    way: Way
    packet: Packet
    own: Collection[Address]
    rest: int
    refused: int = 0
    uncertain: int = 0
    rulings: list[Ruling] = field(default_factory=list)
    marks: Marks = field(default_factory=Marks)

    def through(self, stages: list[_Stage]) -> None:
        for index, stage in enumerate(stages):
            if not self.rest:
                return
            turns = self._table(stage, stage.chains) if stage.chains is not None else self._native(stage)
            for turn in turns:
                self._turn(turn, [other for other in stages[index + 1 :] if not other.translates])

    def _table(self, stage: _Stage, chains: Chains) -> list[_Turn]:
        firewall = (stage.hook, stage.table) == _FIREWALL[self.way] and not stage.tool.endswith("-legacy")
        walk = TableWalk(
            chains,
            stage.hook.upper(),
            self.packet,
            self.marks,
            gate=stage.table != "filter",
            left_alone=() if stage.table == "filter" else PUBLISHING_CHAINS,
        )
        walk.base(self.rest)
        turns = []
        for decision in walk.decisions:
            rule = _of_iptables(stage, decision.step.text if decision.step else "-P DROP")
            if decision.does == "leads":
                assert decision.step is not None
                turns.append(_turn(rule, decision.ports, decision.step.to))
            elif not firewall:
                self._rule(rule, decision.does, decision.ports)
        self._stop(walk.refused, walk.uncertain)
        return turns

    def _native(self, stage: _Stage) -> list[_Turn]:
        chain, packet = stage.chain, self.packet
        assert chain is not None
        inward = self.way == "in"
        walk = Walk(
            self.rules.native,
            NftPacket(
                packet.source,
                packet.destination,
                packet.destination,
                packet.protocol,
                packet.interface if inward else None,
                None if inward else packet.interface,
                local=inward,
            ),
        )
        walk.base(chain, self.rest)
        # An older nft does not tell which interface such a chain is of.
        somewhere = stage.hook in ("ingress", "egress") and packet.interface not in chain.devices
        unknown = walk.unknown | (walk.closed if somewhere else 0)
        for decision in walk.decisions:
            rule = _of_nft(decision.chain, words(decision.rule) if decision.rule else "policy drop", decision.rule)
            ports = decision.ports & (walk.closed | walk.unknown)
            certain = decision.refuses and not somewhere
            self._rule(rule, "refuses", ports & ~unknown if certain else 0)
            self._rule(rule, "unknown", ports & unknown if certain else ports)
        self.marks.lose(walk.marked)
        self._stop(walk.closed & ~unknown, unknown)
        turns = []
        for led in walk.translations:
            assert led.chain is not None and led.rule is not None
            turns.append(_Turn(_of_nft(led.chain, words(led.rule), led.rule), led.ports, led.address, led.port))
        return turns

    def _stop(self, refused: int, uncertain: int) -> None:
        self.refused |= refused & self.rest
        self.uncertain |= uncertain & self.rest & ~refused
        if self.packet.source is None:
            # Of anybody's packets some go on where others do not.
            uncertain = 0
        self.rest &= ~(refused | uncertain)

    def _rule(self, rule: NamedRule, effect: Effect, ports: int) -> None:
        if ports & self.rest:
            self.rulings.append(Ruling(rule=rule, effect=effect, protocol=self.packet.protocol, ports=ports & self.rest))

    def _turn(self, turn: _Turn, stages: list[_Stage]) -> None:
        """Follow ports to where a translation leads them."""
        ports, packet = turn.ports & self.rest, self.packet
        address = turn.address or packet.destination
        if address == packet.destination and turn.readable:
            # A port that keeps its number and its address is as it was.
            ports &= ~(EVERY if turn.port is None else 1 << turn.port)
        if not ports:
            return
        self.rest &= ~ports
        ruling = Ruling(
            rule=turn.rule, effect="leads", protocol=packet.protocol, ports=ports, to=_where(turn, packet, address)
        )
        if self.way == "out" or not turn.readable or not (address == packet.destination or address in self.own):
            self.rulings.append(ruling)
            return
        landing = 1 << turn.port if turn.port is not None else ports
        on = _Passage(self.rules, self.way, replace(packet, destination=address), self.own, landing)
        on.through(stages)
        for word, there in (("admit", on.rest), ("refuse", on.refused), ("", on.uncertain)):
            share = (ports if there else 0) if turn.port is not None else ports & there
            if share:
                self.rulings.append(replace(ruling, ports=share, landing=word))


EVERY = (1 << 65536) - 1


def judge(rules: KernelRules, way: Way, packet: Packet, own: Collection[Address] = ()) -> RulesetVerdict:
    """
    Walk the whole way in or out as the kernel would with a new packet of each port; `own` are the host's addresses.

    A packet of anybody (source None) is asked for its rulings alone: they name every rule that may decide.
    """
    passage = _Passage(rules, way, packet, own, every_port(packet))
    passage.through(list(_stages(rules, way, packet)))
    return RulesetVerdict(passage.rest, passage.refused, passage.uncertain, tuple(passage.rulings))


def early(rules: KernelRules, packet: Packet, own: Collection[Address] = ()) -> tuple[Ruling, ...]:
    """Return the rulings of rules that meet a packet before the hook of the host's own firewall, or beside it there."""
    passage = _Passage(rules, "in", packet, own, every_port(packet))
    passage.through([stage for stage in _stages(rules, "in", packet) if not _at_input(stage)])
    return tuple(passage.rulings)


def _at_input(stage: _Stage) -> bool:
    return stage.hook == "input" and (stage.table == "filter" or stage.chain is not None)


def _stages(rules: KernelRules, way: Way, packet: Packet) -> Iterator[_Stage]:
    version = packet.destination.version
    found = []
    for order, hook in enumerate(_HOOKS[way]):
        for tool, table, chains in rules.iptables(version):
            for there, name, priority in PLACES:
                if (there, name) == (hook, table):
                    found.append(_Stage(place=(order, priority), hook=hook, tool=tool, table=table, chains=chains))
        for chain in rules.own(hook, version):
            if not chain.devices or packet.interface is None or packet.interface in chain.devices:
                found.append(_Stage(place=(order, chain.priority), hook=hook, tool="nft", chain=chain))
    return iter(sorted(found, key=lambda stage: stage.place))


def _of_iptables(stage: _Stage, text: str) -> NamedRule:
    chain, text = text[3:].split(" ", 1) if text.startswith("-A ") else (stage.hook.upper(), text)
    return NamedRule(tool=stage.tool, table=stage.table, chain=chain, text=text)


def _of_nft(chain: Chain, text: str, rule: object) -> NamedRule:
    handle = getattr(rule, "handle", 0)
    family, table = chain.table
    return NamedRule(tool="nft", family=family, table=table, chain=chain.name, text=text, handle=handle)


def _turn(rule: NamedRule, ports: int, to: str) -> _Turn:
    """Read `10250`, `10.0.0.1`, `10.0.0.1:80`, `[fd00::1]:80` or `:80`; ranges lead nobody knows where."""
    address, _, port = to.rpartition(":") if ":" in to and not _is_address(to) else ("", "", to)
    if _is_address(to):
        address, port = to, ""
    address = address.strip("[]")
    readable = (not address or _is_address(address)) and (not port or port.isdigit())
    return _Turn(
        rule,
        ports,
        ip_address(address) if address and readable else None,
        int(port) if port and readable else None,
        readable,
    )


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def _where(turn: _Turn, packet: Packet, address: Address) -> str:
    if not turn.readable:
        return "one of several places"
    port = f"port {turn.port}" if turn.port is not None else "the same port"
    return port if address == packet.destination else f"{port} of {address}"
