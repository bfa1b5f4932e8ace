"""The whole way of a new packet into a host or out of it, through every chain that netfilter has on it.

The host's own firewall stands at the end of the way in; what others set before it decides first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from model.base import Address
from model.packets.iptables_save import Step
from model.packets.iptables_walk import TableWalk
from model.packets.kernel_rules import KernelRules
from model.packets.known_rules import PUBLISHING_CHAINS
from model.packets.marks import Marks
from model.packets.netfilter import every_port
from model.packets.nft_match import NftPacket
from model.packets.nft_ruleset import Chain, NftRule
from model.packets.nft_walk import Walk
from model.packets.nft_words import words
from model.packets.packet import Packet, RulesetVerdict
from model.packets.ruling import Effect, Landing, NamedRule, Ruling
from model.packets.stages import NativeStage, Stage, TableStage, Way, stages

EVERY = (1 << 65536) - 1


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

    def through(self, way: Sequence[Stage]) -> None:
        for index, stage in enumerate(way):
            if not self.rest:
                return
            turns = self._table(stage) if isinstance(stage, TableStage) else self._native(stage)
            for turn in turns:
                self._turn(turn, [other for other in way[index + 1 :] if not other.translates])

    def _table(self, stage: TableStage) -> list[_Turn]:
        gate = stage.table != "filter"
        known = PUBLISHING_CHAINS if gate else ()
        walk = TableWalk(stage.chains, stage.hook.upper(), self.packet, self.marks, gate=gate, left_alone=known)
        walk.base(self.rest)
        turns = []
        for decision in walk.decisions:
            rule = _of_iptables(stage, decision.step)
            if decision.step and decision.does == "leads":
                turns.append(_turn(rule, decision.ports, decision.step.to))
            elif not stage.firewall:
                self._rule(rule, decision.does, decision.ports)
        self._stop(walk.refused, walk.uncertain)
        return turns

    def _native(self, stage: NativeStage) -> list[_Turn]:
        chain, packet, inward = stage.chain, self.packet, self.way == "in"
        meeting = NftPacket(
            packet.source,
            packet.destination,
            packet.destination,
            packet.protocol,
            interface_in=packet.interface if inward else None,
            interface_out=None if inward else packet.interface,
            local=inward,
        )
        walk = Walk(self.rules.native, meeting)
        walk.base(chain, self.rest)
        # An older nft does not tell which interface such a chain is of.
        somewhere = stage.hook in ("ingress", "egress") and packet.interface not in chain.devices
        unknown = walk.unknown | (walk.closed if somewhere else 0)
        for decision in walk.decisions:
            rule = _of_nft(decision.chain, decision.rule)
            ports = decision.ports & (walk.closed | walk.unknown)
            certain = ports & ~unknown if decision.refuses else 0
            at_device = stage.hook == "egress" and decision.refuses
            self._rule(rule, "refuses", certain, at_device=at_device)
            self._rule(rule, "unknown", ports & ~certain, at_device=at_device)
        self.marks.lose(walk.marked)
        self._stop(walk.closed & ~unknown, unknown)
        return [_Turn(_of_nft(led.chain, led.rule), led.ports, led.address, led.port) for led in walk.translations]

    def _stop(self, refused: int, uncertain: int) -> None:
        self.refused |= refused & self.rest
        self.uncertain |= uncertain & self.rest & ~refused
        if self.packet.source is None:
            # Of anybody's packets some go on where others do not.
            uncertain = 0
        self.rest &= ~(refused | uncertain)

    def _rule(self, rule: NamedRule, effect: Effect, ports: int, *, at_device: bool = False) -> None:
        if ports := ports & self.rest:
            protocol = self.packet.protocol
            self.rulings.append(Ruling(rule=rule, effect=effect, protocol=protocol, ports=ports, at_device=at_device))

    def _turn(self, turn: _Turn, onward: Sequence[Stage]) -> None:
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
        on.through(onward)
        fates: tuple[tuple[Landing, int], ...] = (("admit", on.rest), ("refuse", on.refused), ("", on.uncertain))
        for word, there in fates:
            share = (ports if there else 0) if turn.port is not None else ports & there
            if share:
                self.rulings.append(replace(ruling, ports=share, landing=word))


def judge(rules: KernelRules, way: Way, packet: Packet, own: Collection[Address] = ()) -> RulesetVerdict:
    """
    Walk the whole way in or out as the kernel would with a new packet of each port; `own` are the host's addresses.

    A packet of anybody (source None) is asked for its rulings alone: they name every rule that may decide.
    """
    passage = _Passage(rules, way, packet, own, every_port(packet))
    passage.through(stages(rules, way, packet))
    return RulesetVerdict(passage.rest, passage.refused, passage.uncertain, tuple(passage.rulings))


def beside(rules: KernelRules, way: Way, packet: Packet, own: Collection[Address] = ()) -> tuple[Ruling, ...]:
    """
    Return the rulings of every chain but those of the hook where the host's own firewall stands: these meet a packet
    before it does, or on its way out.
    """
    others = [stage for stage in stages(rules, way, packet) if not stage.with_firewall]
    passage = _Passage(rules, way, packet, own, every_port(packet))
    passage.through(others)
    return tuple(passage.rulings)


def _of_iptables(stage: TableStage, step: Step | None) -> NamedRule:
    chain, text = step.text[3:].split(" ", 1) if step else (stage.hook.upper(), "-P DROP")
    return NamedRule(tool=stage.tool, table=stage.table, chain=chain, text=text)


def _of_nft(chain: Chain, rule: NftRule | None) -> NamedRule:
    family, table = chain.table
    text, handle = (words(rule), rule.handle) if rule else ("policy drop", 0)
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
