"""What a host's iptables rules would do with a new packet: admit, refuse, or that it cannot be told.

Sets of ports are bitsets (`model.bits`), so one walk judges all 65,535 ports.
"""

from __future__ import annotations

from typing import Literal

from model.packets.iptables_save import ALL, EPHEMERAL, Chains, Match, Step, parse
from model.packets.iptables_walk import TableWalk
from model.packets.packet import Packet, RulesetVerdict

__all__ = ["ALL", "EPHEMERAL", "Chains", "Match", "Packet", "RulesetVerdict", "Step", "every_port", "judge", "parse"]


def judge(chains: Chains, hook: Literal["INPUT", "OUTPUT"], packet: Packet) -> RulesetVerdict:
    """
    Walk the chains as the kernel would with a new packet of each port, which no rule outside this table has marked.
    """
    walk = TableWalk(chains, hook, packet)
    walk.base(every_port(packet))
    return RulesetVerdict(walk.admitted, walk.refused, walk.uncertain)


def every_port(packet: Packet) -> int:
    """Return all ports that a packet may be for; vrrp has port 0 alone."""
    return 1 if packet.protocol == "vrrp" else ALL
