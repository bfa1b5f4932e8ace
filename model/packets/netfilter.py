"""What a host's iptables rules would do with a new packet: admit, refuse, or that it cannot be told.

Sets of ports are bitsets (`model.bits`), so one walk judges all 65,535 ports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from model import bits
from model.base import Address
from model.packets.iptables_save import ALL, EPHEMERAL, PASSING, Chains, Match, Step, parse

__all__ = ["ALL", "EPHEMERAL", "Chains", "Match", "Packet", "RulesetVerdict", "Step", "judge", "parse"]

LIMIT_OF_JUMPS = 32


@dataclass(frozen=True, slots=True)
class Packet:
    """
    The first packet of a flow, for every destination port at once.

    `interface` is the one it comes in or goes out through; None where nobody knows, and then rules that name one are
    uncertain.
    """

    source: Address
    destination: Address
    protocol: str
    interface: str | None = None


@dataclass(frozen=True, slots=True)
class RulesetVerdict:
    """Ports admitted, ports refused, and ports a header alone does not decide; vrrp is port 0."""

    admitted: int
    refused: int
    uncertain: int

    def on(self, port: int) -> Literal["admit", "refuse", ""]:
        """Say what becomes of one port; nothing where that cannot be told."""
        bit = 1 << port
        return (
            "" if self.uncertain & bit else "admit" if self.admitted & bit else "refuse" if self.refused & bit else ""
        )


def judge(chains: Chains, hook: Literal["INPUT", "OUTPUT"], packet: Packet) -> RulesetVerdict:
    """
    Walk the chains as the kernel would with a new packet of each port, which no rule outside this table has marked.
    """
    everything = 1 if packet.protocol == "vrrp" else ALL
    walk = _Walk(chains, hook, packet)
    rest = walk.through(hook, everything, 0)
    if chains.policies.get(hook, "ACCEPT") == "ACCEPT":
        walk.admitted |= rest
    else:
        walk.refused |= rest
    return RulesetVerdict(walk.admitted, walk.refused, walk.uncertain)


class _Walk:
    def __init__(self, chains: Chains, hook: str, packet: Packet) -> None:
        self.chains = chains
        self.hook = hook
        self.packet = packet
        self.admitted = self.refused = self.uncertain = 0
        self.marks = _Marks()

    def through(self, chain: str, ports: int, depth: int) -> int:
        """Send ports through a chain; return those that come back undecided."""
        if depth > LIMIT_OF_JUMPS:
            self.uncertain |= ports
            return 0
        returned = 0
        for step in self.chains.steps.get(chain, ()):
            if not ports:
                break
            met, doubtful = self._met(step.match, ports)
            if step.target in PASSING:
                if step.marks:
                    self.marks.write(*step.marks, met, doubtful)
                continue
            self.uncertain |= doubtful
            ports &= ~(met | doubtful)
            if step.target == "RETURN":
                returned |= met
            elif step.target in self.chains.steps:
                back = self.through(step.target, met, depth + 1) if met else 0
                if step.goto:
                    returned |= back
                else:
                    ports |= back
            else:
                self._decide(step.target, met)
        return ports | returned

    def _decide(self, target: str, ports: int) -> None:
        if target == "ACCEPT":
            self.admitted |= ports
        elif target in ("DROP", "REJECT"):
            self.refused |= ports
        else:
            self.uncertain |= ports

    def _met(self, match: Match, ports: int) -> tuple[int, int]:
        """Return the ports that meet the condition, and those of which it cannot be told."""
        if match.never or not self._by_header(match):
            return 0, 0
        met = ports if match.ports is None else ports & match.ports
        known = self._through_interface(match), self._of_type(match)
        if False in known:
            return 0, 0
        if None in known or match.uncertain:
            return 0, met
        if match.mark is None:
            return met, 0
        inverted, value, mask = match.mark
        alike, doubtful = self.marks.alike(value, mask)
        return met & (~(alike | doubtful) if inverted else alike), met & doubtful

    def _by_header(self, match: Match) -> bool:
        packet = self.packet
        if match.protocol and (match.protocol[1] in (packet.protocol, "all")) == match.protocol[0]:
            return False
        if match.source and (packet.source in match.source[1]) == match.source[0]:
            return False
        return not match.destination or (packet.destination in match.destination[1]) != match.destination[0]

    def _through_interface(self, match: Match) -> bool | None:
        """Return whether the packet's interface is meant; None where that is not known."""
        named = match.interface_in if self.hook == "INPUT" else match.interface_out
        other = match.interface_out if self.hook == "INPUT" else match.interface_in
        if other and not other[0]:
            return False
        if not named:
            return True
        inverted, name = named
        mine = self.packet.interface
        if mine is None:
            # Whatever it is, packets of other hosts do not come over loopback.
            return inverted if name == "lo" else None
        same = mine.startswith(name[:-1]) if name.endswith("+") else mine == name
        return same != inverted

    def _of_type(self, match: Match) -> bool | None:
        """
        The host's own address is LOCAL and the other end's UNICAST; to IPv6 every address of a host is UNICAST as well.
        """
        near, far = (match.destination_type, match.source_type)[:: 1 if self.hook == "INPUT" else -1]
        known: bool | None = True
        for asked, kind in ((near, "LOCAL"), (far, "UNICAST")):
            if asked is None:
                continue
            inverted, kinds = asked
            if self.packet.destination.version == 6 and len(kinds) > 1:
                known = None
                continue
            own = {kind} if self.packet.destination.version == 4 else {kind, "UNICAST"}
            if bool(kinds & own) == inverted:
                return False
        return known


class _Marks:
    """The mark of the packet to every port, bit by bit: ports where a bit is set, and ports where that is not known."""

    def __init__(self) -> None:
        self.set: dict[int, int] = {}
        self.unknown: dict[int, int] = {}

    def write(self, value: int, mask: int, ports: int, doubtful: int) -> None:
        """Write the bits of a mask for some ports, and perhaps for those that are doubtful."""
        for bit in bits.to_ports(mask):
            here, unknown = self.set.get(bit, 0), self.unknown.get(bit, 0)
            wanted = bool(value & 1 << bit)
            self.unknown[bit] = (unknown & ~ports) | (doubtful & (~here if wanted else here))
            self.set[bit] = here | ports if wanted else here & ~ports

    def alike(self, value: int, mask: int) -> tuple[int, int]:
        """Return the ports whose mark has this value under the mask, and those of which it cannot be told."""
        if value & ~mask:
            return 0, 0
        alike = possible = ALL
        for bit in bits.to_ports(mask):
            here, unknown = self.set.get(bit, 0), self.unknown.get(bit, 0)
            same = here if value & 1 << bit else ALL & ~here
            alike, possible = alike & same & ~unknown, possible & (same | unknown)
        return alike, possible & ~alike
