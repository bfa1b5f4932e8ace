"""The whole way of a new packet into a host or out of it, through every chain that netfilter has on it.

The host's own firewall stands at the end of the way in; what others set before it decides first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from model.base import Address, Network
from model.packets.iptables_save import Step
from model.packets.iptables_walk import TableWalk
from model.packets.kernel_rules import KernelRules
from model.packets.marks import Marks
from model.packets.netfilter import every_port
from model.packets.nft_match import NftPacket
from model.packets.nft_ruleset import Chain, NftRule
from model.packets.nft_walk import Walk
from model.packets.nft_words import words
from model.packets.packet import Packet, RulesetVerdict
from model.packets.publishing import Publishing, translation
from model.packets.ruling import Effect, Landing, NamedRule, Ruling
from model.packets.stages import DeviceStage, NativeStage, Stage, TableStage, Way, stages

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
    """
    A packet under way: `rest` goes on, `rulings` are those of rules beside the host's firewall, and of those at its
    place that stand in chains whose names begin with one of `named`.
    """

    rules: KernelRules
    way: Way
    packet: Packet
    publishing: Publishing
    rest: int
    named: tuple[str, ...] = ()
    published: int = 0
    refused: int = 0
    uncertain: int = 0
    rulings: list[Ruling] = field(default_factory=list)
    marks: Marks = field(default_factory=Marks)

    def through(self, way: Sequence[Stage]) -> None:
        for index, stage in enumerate(way):
            if not self.rest:
                return
            for turn in self._turns(stage):
                self._turn(turn, [other for other in way[index + 1 :] if not other.translates])

    def _turns(self, stage: Stage) -> list[_Turn]:
        if isinstance(stage, TableStage):
            return self._table(stage)
        return self._native(stage) if isinstance(stage, NativeStage) else self._at_device(stage)

    def _at_device(self, stage: DeviceStage) -> list[_Turn]:
        self._rule(NamedRule(tool="device", table="", chain="", text=stage.words), "unknown", self.rest)
        self._stop(0, self.rest)
        return []

    def _table(self, stage: TableStage) -> list[_Turn]:
        gate, named = stage.table != "filter", bool(self.named) and stage.with_firewall
        walk = TableWalk(
            stage.chains,
            stage.hook.upper(),
            self.packet,
            self.marks,
            gate=gate,
            publishing=self.publishing,
            admissions=named,
        )
        walk.base(self.rest)
        self.published |= walk.published & self.rest
        turns = []
        for decision in walk.decisions:
            step, does = decision.step, decision.does
            if step and does == "leads":
                turns.append(_turn(_of_iptables(stage, step), decision.ports, step.to))
            elif (named and step and step.chain.startswith(self.named)) or (does != "admits" and stage.beside(step)):
                self._rule(_of_iptables(stage, step), does, decision.ports)
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
        away = not (address == packet.destination or address in self.publishing.own)
        if self.way == "out" or not turn.readable or away:
            self.rulings.append(replace(ruling, away=away and turn.readable))
            return
        landing = 1 << turn.port if turn.port is not None else ports
        on = _Passage(self.rules, self.way, replace(packet, destination=address), self.publishing, landing)
        on.through(onward)
        fates: tuple[tuple[Landing, int], ...] = (("admit", on.rest), ("refuse", on.refused), ("", on.uncertain))
        for word, there in fates:
            share = (ports if there else 0) if turn.port is not None else ports & there
            if share:
                self.rulings.append(replace(ruling, ports=share, landing=word))


def judge(
    rules: KernelRules, way: Way, packet: Packet, own: Collection[Address] = (), machines: Collection[Network] = ()
) -> RulesetVerdict:
    """
    Walk the whole way in or out as the kernel would with a new packet of each port; `own` are the host's addresses,
    `machines` the networks where the site has machines, and no containers.

    A packet of anybody (source None) is asked for its rulings alone: they name every rule that may decide.
    """
    passage = _Passage(rules, way, packet, Publishing(own, machines), every_port(packet))
    passage.through(stages(rules, way, packet))
    return RulesetVerdict(passage.rest, passage.refused, passage.uncertain, tuple(passage.rulings), passage.published)


def beside(
    rules: KernelRules, way: Way, packet: Packet, own: Collection[Address] = (), machines: Collection[Network] = ()
) -> tuple[Ruling, ...]:
    """
    Return the rulings of every chain but those of the hook where the host's own firewall admits: these meet a packet
    before it does, or on its way out.
    """
    others = [stage for stage in stages(rules, way, packet) if not stage.with_firewall]
    passage = _Passage(rules, way, packet, Publishing(own, machines), every_port(packet))
    passage.through(others)
    return tuple(passage.rulings)


def in_chains(
    rules: KernelRules,
    packet: Packet,
    named: tuple[str, ...],
    own: Collection[Address] = (),
    machines: Collection[Network] = (),
) -> tuple[Ruling, ...]:
    """
    Return what rules at the place of the host's firewall do with a packet of a known source on its way in, of those
    that stand in chains whose names begin with one of `named`; what they admit is told as well.
    """
    passage = _Passage(rules, "in", packet, Publishing(own, machines), every_port(packet), named)
    # What stands at a device, of which nobody can tell what it does, would hide them all.
    passage.through([stage for stage in stages(rules, "in", packet) if not isinstance(stage, DeviceStage)])
    return tuple(ruling for ruling in passage.rulings if ruling.rule.chain.startswith(named))


def _of_iptables(stage: TableStage, step: Step | None) -> NamedRule:
    chain, text = step.text[3:].split(" ", 1) if step else (stage.hook.upper(), "-P DROP")
    return NamedRule(tool=stage.tool, table=stage.table, chain=chain, text=text)


def _of_nft(chain: Chain, rule: NftRule | None) -> NamedRule:
    family, table = chain.table
    text, handle = (words(rule), rule.handle) if rule else ("policy drop", 0)
    return NamedRule(tool="nft", family=family, table=table, chain=chain.name, text=text, handle=handle)


def _turn(rule: NamedRule, ports: int, to: str) -> _Turn:
    led = translation(to)
    return _Turn(rule, ports, led.address, led.port, led.readable)


def _where(turn: _Turn, packet: Packet, address: Address) -> str:
    if not turn.readable:
        return "one of several places"
    port = f"port {turn.port}" if turn.port is not None else "the same port"
    return port if address == packet.destination else f"{port} of {address}"
