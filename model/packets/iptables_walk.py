"""The way of a new packet through one table of iptables, and which of its rules decide."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from model.packets.iptables_match import met
from model.packets.iptables_save import PASSING, Chains, Step
from model.packets.marks import Marks
from model.packets.packet import Packet
from model.packets.publishing import Publishing

LIMIT_OF_JUMPS = 32
Does = Literal["admits", "refuses", "leads", "unknown"]


@dataclass(frozen=True, slots=True)
class IptablesDecision:
    """Ports of which one rule decides; `step` None is the chain's policy."""

    step: Step | None
    does: Does
    ports: int


@dataclass(slots=True)
class TableWalk:
    """
    What one base chain does with ports; `published` are those that a rule leads to containers, and that go on here;
    `admissions`: what is admitted is told by its rules, too.

    A table that is no `filter` is a gate: what it accepts goes on, so that a doubtful acceptance there decides nothing
    unless a refusal follows; so it is on the way out, where nothing is refused in the end. A packet of anybody meets
    every rule: none takes a port from those behind it by a doubt.
    """

    chains: Chains
    hook: str
    packet: Packet
    marks: Marks = field(default_factory=Marks)
    gate: bool = False
    publishing: Publishing = field(default_factory=Publishing)
    admissions: bool = False
    published: int = 0
    admitted: int = 0
    refused: int = 0
    uncertain: int = 0
    spared: int = 0
    decisions: list[IptablesDecision] = field(default_factory=list)

    def base(self, ports: int) -> None:
        """Send ports through the hook's own chain and its policy."""
        rest = self.through(self.hook, ports, 0)
        if self.chains.policies.get(self.hook, "ACCEPT") == "ACCEPT":
            self.admitted |= rest
        else:
            self._refuse(None, rest)

    def through(self, chain: str, ports: int, depth: int) -> int:
        """Send ports through a chain; return those that come back undecided."""
        if depth > LIMIT_OF_JUMPS:
            self.uncertain |= ports
            return 0
        returned = 0
        for step in self.chains.steps.get(chain, ()):
            if not ports:
                break
            certain, doubtful = met(step.match, self.packet, self.hook, self.marks, ports)
            if self._passes(step, certain, doubtful) or self._spares(step, doubtful):
                doubtful = 0
            if step.target in PASSING:
                continue
            self._doubt(step, doubtful)
            ports &= ~(certain if self.packet.source is None else certain | doubtful)
            if step.target == "RETURN":
                returned |= certain
            elif step.target in self.chains.steps:
                back = self.through(step.target, certain, depth + 1) if certain else 0
                if step.goto:
                    returned |= back
                else:
                    ports |= back
            else:
                ports |= self._decide(step, certain)
        return ports | returned

    def _passes(self, step: Step, certain: int, doubtful: int) -> bool:
        if step.target in PASSING and step.marks:
            self.marks.write(*step.marks, certain, doubtful)
        return step.target in PASSING

    def _spares(self, step: Step, doubtful: int) -> bool:
        """Through a gate a doubtful rule that refuses nothing only keeps ports, perhaps, from refusals behind it."""
        if not doubtful or not self._lenient or not self._harmless(step, doubtful, frozenset()):
            return False
        self._publish(step, doubtful, frozenset())
        self.spared |= doubtful
        return True

    @property
    def _lenient(self) -> bool:
        """What nobody accepts goes on here all the same."""
        out = self.hook == "OUTPUT" and self.chains.policies.get(self.hook, "ACCEPT") == "ACCEPT"
        return self.gate or out

    def _harmless(self, step: Step, ports: int, seen: frozenset[str]) -> bool:
        """Return whether a rule, or the chain it leads to, decides nothing of these ports."""
        target = step.target
        if target in seen or target in PASSING or target in ("ACCEPT", "RETURN"):
            return True
        if self.gate and self.publishing.does(step, ports):
            return True
        steps = self.chains.steps.get(target)
        return steps is not None and all(
            self._harmless(each, _narrowed(each, ports), seen | {target}) for each in steps
        )

    def _publish(self, step: Step, ports: int, seen: frozenset[str]) -> None:
        """Note what a rule that decides nothing leads to containers."""
        if step.target == "DNAT":
            self.published |= ports
        for each in self.chains.steps.get(step.target, ()) if step.target not in seen else ():
            self._publish(each, _narrowed(each, ports), seen | {step.target})

    def _decide(self, step: Step, ports: int) -> int:
        """Carry out a target; return ports that go on behind it after all."""
        if step.target == "ACCEPT":
            self.admitted |= ports
            if ports and self.admissions:
                self.decisions.append(IptablesDecision(step, "admits", ports))
        elif self.gate and self.publishing.does(step, ports):
            self.published |= ports
            return ports
        elif step.target in ("DROP", "REJECT"):
            self._refuse(step, ports)
        elif self.gate and step.target in ("DNAT", "REDIRECT"):
            self.decisions.append(IptablesDecision(step, "leads", ports))
        else:
            self._doubt(step, ports)
        return 0

    def _refuse(self, step: Step | None, ports: int) -> None:
        self._doubt(step, ports & self.spared)
        ports &= ~self.spared
        if ports:
            self.refused |= ports
            self.decisions.append(IptablesDecision(step, "refuses", ports))

    def _doubt(self, step: Step | None, ports: int) -> None:
        if ports:
            self.uncertain |= ports
            self.decisions.append(IptablesDecision(step, "unknown", ports))


def _narrowed(step: Step, ports: int) -> int:
    return ports if step.match.ports is None else ports & step.match.ports
