"""The first packet of a flow, and what a host's rules do with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from model.base import Address
from model.packets.ruling import Ruling


@dataclass(frozen=True, slots=True)
class Packet:
    """
    The first packet of a flow, for every destination port at once; `source` None is anybody.

    `interface` is the one it comes in or goes out through; None where nobody knows, and then rules that name one are
    uncertain.
    """

    source: Address | None
    destination: Address
    protocol: str
    interface: str | None = None


@dataclass(frozen=True, slots=True)
class RulesetVerdict:
    """
    Ports admitted, ports refused, and ports a header alone does not decide; vrrp is port 0.

    What somebody's rule leads to another port or address is in none of them. `rulings`: what rules beside the host's
    firewall do, each by its name. `published`: ports that a container runtime leads to containers, which the three
    know nothing of.
    """

    admitted: int
    refused: int
    uncertain: int
    rulings: tuple[Ruling, ...] = ()
    published: int = 0

    def on(self, port: int) -> Literal["admit", "refuse", ""]:
        """Say what becomes of one port; nothing where that cannot be told."""
        bit = 1 << port
        return (
            "" if self.uncertain & bit else "admit" if self.admitted & bit else "refuse" if self.refused & bit else ""
        )

    @property
    def contested(self) -> int:
        """Ports of which a rule beside the firewall decides, or a container, and those of which nobody can tell."""
        ports = self.uncertain | self.published
        for ruling in self.rulings:
            ports |= ruling.ports
        return ports

    def within(self, gate: RulesetVerdict) -> RulesetVerdict:
        """Return what becomes of packets that must pass a gate as well, whichever comes first."""
        refused = self.refused | (gate.refused & (self.admitted | self.uncertain))
        uncertain = (self.uncertain | (self.admitted & ~gate.admitted)) & ~refused
        return replace(self, admitted=self.admitted & gate.admitted, refused=refused, uncertain=uncertain)
