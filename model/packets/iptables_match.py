"""Whether a new packet meets the condition of a rule of iptables, for many destination ports at once."""

from __future__ import annotations

from model.packets.iptables_save import Match
from model.packets.marks import Marks
from model.packets.packet import Packet

INCOMING = ("PREROUTING", "INPUT")


def met(match: Match, packet: Packet, hook: str, marks: Marks, ports: int) -> tuple[int, int]:
    """Return the ports that meet the condition, and those of which it cannot be told."""
    known = (_by_header(match, packet), _through_interface(match, packet, hook), _of_type(match, packet, hook))
    if match.never or False in known:
        return 0, 0
    meeting = ports if match.ports is None else ports & match.ports
    if None in known or match.uncertain:
        return 0, meeting
    if match.mark is None:
        return meeting, 0
    inverted, value, mask = match.mark
    alike, doubtful = marks.alike(value, mask)
    return meeting & (~(alike | doubtful) if inverted else alike), meeting & doubtful


def _by_header(match: Match, packet: Packet) -> bool | None:
    if match.protocol and (match.protocol[1] in (packet.protocol, "all")) == match.protocol[0]:
        return False
    if match.destination and (packet.destination in match.destination[1]) == match.destination[0]:
        return False
    if match.source is None:
        return True
    return None if packet.source is None else (packet.source in match.source[1]) != match.source[0]


def _through_interface(match: Match, packet: Packet, hook: str) -> bool | None:
    """Return whether the packet's interface is meant; None where that is not known."""
    named, other = (match.interface_in, match.interface_out)[:: 1 if hook in INCOMING else -1]
    if other and not other[0]:
        return False
    if not named:
        return True
    inverted, name = named
    mine = packet.interface
    if mine is None:
        # Whatever it is, packets of other hosts do not come over loopback.
        return inverted if name == "lo" else None
    same = mine.startswith(name[:-1]) if name.endswith("+") else mine == name
    return same != inverted


def _of_type(match: Match, packet: Packet, hook: str) -> bool | None:
    """
    The host's own address is LOCAL and the other end's UNICAST; to IPv6 every address of a host is UNICAST as well.
    """
    near, far = (match.destination_type, match.source_type)[:: 1 if hook in INCOMING else -1]
    known: bool | None = True
    for asked, kind in ((near, "LOCAL"), (far, "UNICAST")):
        if asked is None:
            continue
        inverted, kinds = asked
        if packet.destination.version == 6 and len(kinds) > 1:
            known = None
            continue
        own = {kind} if packet.destination.version == 4 else {kind, "UNICAST"}
        if bool(kinds & own) == inverted:
            return False
    return known
