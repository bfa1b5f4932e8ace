"""What is known of one pair and protocol before it is judged, and in which words the judgement is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from model.packets.netfilter import RulesetVerdict


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """
    Evidence of one pair and protocol, as bitsets of probed ports.

    `refused` never left the source (EPERM), nor did `unroutable` (no route); `arrived` before, `passed` after the
    destination's INPUT; `strayed` surfaced elsewhere; `translated` arrived under another source address, `masked` under
    one that is rightly put in its place. `nat` says in words what translation was seen; `answered` which host answered.
    """

    sent: int = 0
    refused: int = 0
    unroutable: int = 0
    arrived: int = 0
    passed: int = 0
    synack: int = 0
    rst: int = 0
    data: int = 0
    icmp: Mapping[str, int] = field(default_factory=dict)
    strayed: int = 0
    translated: int = 0
    masked: int = 0
    nat: str = ""
    answered: str = ""

    @property
    def replied(self) -> int:
        """Ports where a service spoke: only who got the probe can answer it."""
        return self.synack | self.data


@dataclass(frozen=True, slots=True)
class ServiceIntercept:
    """
    A Service at a port of the destination.

    `answered`: somebody should answer there; `gate` says what the destination's rules in front of Services do: admit,
    refuse, or empty where nobody can tell.
    """

    service: str
    answered: bool = True
    gate: str = ""


@dataclass(frozen=True, slots=True)
class PairFacts:
    """
    What else is known of one pair and protocol.

    A source is proven when another destination saw its packets in this window, a witness when it saw another source's.
    `ingress` is the destination's ruleset on this flow, `egress` the source's; None where no ruleset was read. `owners`
    maps the destination's listening ports to process names; `owed` are ports where the declared service must answer
    (stage after). `intercepts`: ports that Services of the cluster take at the destination, `source_dnat` those that
    the source's own node takes before a packet leaves it.
    """

    source_alive: bool = True
    witness_alive: bool = True
    source_proven: bool = True
    witness_proven: bool = True
    ingress: RulesetVerdict | None = None
    egress: RulesetVerdict | None = None
    owners: Mapping[int, str] = field(default_factory=dict)
    declared_owners: Mapping[int, frozenset[str]] = field(default_factory=dict)
    owed: int = 0
    intercepts: Mapping[int, ServiceIntercept] = field(default_factory=dict)
    source_dnat: Mapping[int, ServiceIntercept] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Classification:
    """What is told of a set of ports; `by_rules` means that no packet was sent and the kernel's rules speak."""

    expected: str
    seen: str
    verdict: str
    culprit: str = ""
    note: str = ""
    by_rules: bool = False


PortClasses = dict[Classification, int]
