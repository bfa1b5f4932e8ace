"""The way of a new packet through the chains of nftables: on, away, or to another address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from model.base import Address
from model.packets.nft_match import Conditions, NftPacket
from model.packets.nft_ruleset import Chain, NftRule, Ruleset

LIMIT_OF_JUMPS = 16
# Statements that let a packet go on to the next one.
_PASSING = frozenset(
    {
        "counter",
        "log",
        "comment",
        "mangle",
        "set",
        "map",
        "flow",
        "notrack",
        "ct helper",
        "ct timeout",
        "secmark",
        "dup",
    }
)
# Statements that ask for what no header tells.
_ASKING = frozenset({"limit", "quota", "ct count", "last", "meter", "connlimit", "xt"})
_TERMINAL = frozenset({"accept", "drop", "reject", "return", "jump", "goto", "dnat", "redirect", "snat", "masquerade"})


@dataclass(frozen=True, slots=True)
class Translation:
    """
    Ports that DNAT leads to `address` (None: the device itself), all to `port` or, where that is None, each to its own.
    """

    ports: int
    address: Address | None
    port: int | None
    chain: Chain
    rule: NftRule | None


@dataclass(frozen=True, slots=True)
class NftDecision:
    """Ports that a rule refuses, or of which it cannot be told what it does; `rule` None is the chain's policy."""

    chain: Chain
    rule: NftRule | None
    ports: int
    refuses: bool


@dataclass(slots=True)
class Walk:
    """
    What one base chain does with ports: `accepted` and `dropped` if no doubtful rule intervenes.

    `maybe_accepted` and `maybe_dropped` are those a rule whose condition cannot be judged would accept or drop before.
    """

    rules: Ruleset
    packet: NftPacket
    accepted: int = 0
    dropped: int = 0
    maybe_accepted: int = 0
    maybe_dropped: int = 0
    translations: list[Translation] = field(default_factory=list)
    decisions: list[NftDecision] = field(default_factory=list)
    marked: int = 0
    _at: tuple[Chain, NftRule | None] | None = None

    @property
    def closed(self) -> int:
        """Ports surely dropped here."""
        return self.dropped & ~self.maybe_accepted

    @property
    def unknown(self) -> int:
        """Ports of which it cannot be told."""
        return (self.dropped & self.maybe_accepted) | (self.accepted & self.maybe_dropped)

    def base(self, chain: Chain, ports: int) -> None:
        """Send ports through a base chain and its policy."""
        rest = self.through(chain, ports, 0)
        self._at = chain, None
        if chain.policy == "drop":
            self.dropped |= rest
            self._note(rest, refuses=True)
        else:
            self.accepted |= rest

    def through(self, chain: Chain, ports: int, depth: int) -> int:
        """Send ports through a chain; return those that come back undecided."""
        if depth > LIMIT_OF_JUMPS:
            return self._unsure(ports, ports)
        conditions = Conditions(self.packet, chain.table, self.rules.sets)
        returned = 0
        for rule in chain.rules:
            self._at = chain, rule
            met, doubt = ports, 0
            for statement in rule.statements:
                ((kind, body),) = statement.items()
                if kind == "match":
                    certain, unsure = conditions.match(body, met | doubt)
                    met, doubt = met & certain, (doubt & certain) | unsure
                elif kind == "vmap":
                    ports, back = self._branches(conditions, chain, body, ports, met, doubt, depth)
                    returned |= back
                    met = doubt = 0
                elif kind in _TERMINAL:
                    left, back = self._end(conditions, chain, kind, body, met, doubt, depth)
                    ports = (ports & ~met) | left
                    returned |= back
                    break
                elif kind in _ASKING:
                    met, doubt = 0, met | doubt
                elif kind not in _PASSING:
                    ports = self._unsure(met | doubt, ports)
                    break
                elif kind == "mangle" and _writes_mark(body):
                    self.marked |= met | doubt
                if not met | doubt:
                    break
        return ports | returned

    def _branches(
        self,
        conditions: Conditions,
        chain: Chain,
        body: Mapping[str, Any],
        ports: int,
        met: int,
        doubt: int,
        depth: int,
    ) -> tuple[int, int]:
        """A verdict map: each key has a verdict of its own."""
        elements = conditions.elements(body["data"])
        if elements is None:
            return self._unsure(met | doubt, ports), 0
        returned, at = 0, self._at
        for key, verdict in elements:
            self._at = at
            certain, unsure = conditions.element(body["key"], key, met | doubt)
            ((kind, target),) = verdict.items()
            taken = met & certain
            left, back = self._end(conditions, chain, kind, target, taken, (doubt & certain) | unsure, depth)
            ports, returned = (ports & ~taken) | left, returned | back
            met &= ~taken
        return ports, returned

    def _end(
        self, conditions: Conditions, chain: Chain, kind: str, body: Any, met: int, doubt: int, depth: int
    ) -> tuple[int, int]:
        """Carry out what ends a rule; return the ports that go on in this chain, and those that leave it undecided."""
        if kind == "continue":
            return met, 0
        if kind == "return":
            self._unsure(doubt, 0)
            return 0, met
        if kind in ("drop", "reject"):
            self.dropped |= met
            self.maybe_dropped |= doubt
            self._note(met, refuses=True)
            self._note(doubt, refuses=False)
            return 0, 0
        if kind in ("jump", "goto"):
            target = self.rules.chains.get((*chain.table, body["target"]))
            if target is None or self._decides(target, frozenset()):
                self._unsure(doubt, 0)
            back = self.through(target, met, depth + 1) if target and met else met
            return (back, 0) if kind == "jump" else (0, back)
        if kind in ("dnat", "redirect"):
            unsure, unmapped = self._translate(conditions, kind, body or {}, met)
            self._unsure(doubt | unsure, 0)
            self.accepted |= met & ~unmapped
            return unmapped, 0
        self.accepted |= met
        self.maybe_accepted |= doubt
        return 0, 0

    def _translate(self, conditions: Conditions, kind: str, body: Mapping[str, Any], ports: int) -> tuple[int, int]:
        """Note where DNAT leads ports; return those of which it cannot be told, and those it leaves as they are."""
        port = body.get("port")
        target = body.get("addr")
        if port is not None and not isinstance(port, int):
            return ports, 0
        if kind == "redirect":
            self._lead(ports, None, port)
        elif target is None or isinstance(target, str):
            address = ip_address(target) if target else self.packet.destination
            self._lead(ports, address, port)
        elif isinstance(target, dict) and "map" in target:
            return self._mapped(conditions, target["map"], port, ports)
        else:
            return ports, 0
        return 0, 0

    def _mapped(
        self, conditions: Conditions, chosen: Mapping[str, Any], port: int | None, ports: int
    ) -> tuple[int, int]:
        """DNAT by map; a key the map lacks lets the packet go on."""
        elements = conditions.elements(chosen["data"])
        if elements is None:
            return ports, 0
        unsure = mapped = 0
        for key, value in elements:
            met, doubt = conditions.element(chosen["key"], key, ports)
            unsure |= doubt
            mapped |= met
            parts = value["concat"] if isinstance(value, dict) and "concat" in value else [value, port]
            if isinstance(parts[0], str) and isinstance(parts[1], int | None):
                self._lead(met, ip_address(parts[0]), parts[1])
            else:
                unsure |= met
        return unsure, ports & ~(mapped | unsure)

    def _unsure(self, ports: int, rest: int) -> int:
        """Nothing can be told of these ports from here on; the rest goes on."""
        self.maybe_accepted |= ports
        self.maybe_dropped |= ports
        self._note(ports, refuses=False)
        return rest

    def _lead(self, ports: int, address: Address | None, port: int | None) -> None:
        if ports and self._at:
            self.translations.append(Translation(ports, address, port, *self._at))

    def _note(self, ports: int, *, refuses: bool) -> None:
        if ports and self._at:
            self.decisions.append(NftDecision(*self._at, ports, refuses))

    def _decides(self, chain: Chain, seen: frozenset[str]) -> bool:
        """Return whether a chain, or one that it leads to, does more than to let packets pass."""
        if chain.name in seen:
            return False
        kinds = [(kind, body) for rule in chain.rules for part in rule.statements for kind, body in part.items()]
        for kind, body in kinds:
            if kind in ("jump", "goto"):
                target = self.rules.chains.get((*chain.table, body["target"]))
                if target is None or self._decides(target, seen | {chain.name}):
                    return True
            elif kind not in _PASSING | _ASKING | {"match", "accept", "return"}:
                return True
        return False


def _writes_mark(body: Any) -> bool:
    written = body.get("key") if isinstance(body, dict) else None
    return isinstance(written, dict) and "mark" in (written.get("meta") or {}).values()
