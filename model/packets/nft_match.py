"""Whether a new packet meets an expression of nftables, for many destination ports at once; doubts are told as such."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from model import bits
from model.base import Address
from model.packets.iptables_save import EPHEMERAL, network_of
from model.packets.nft_ruleset import NamedSet

ALL = bits.from_intervals([(0, 65535)])
Met = tuple[int, int]
"""Ports that meet a condition, and ports of which it cannot be told."""

_NUMBERS = {6: "tcp", 17: "udp", 1: "icmp", 58: "ipv6-icmp", 2: "ip", 10: "ip6", 112: "vrrp"}


@dataclass(frozen=True, slots=True)
class NftPacket:
    """
    The first packet of a flow on its way through the device; `source` None is anybody.

    `first_destination` is the one it had before DNAT, `local` says that `destination` is the device's own, `rewritten`
    that nobody knows where DNAT led it: ports are then those before. Interfaces are None where nobody knows them.
    """

    source: Address | None
    destination: Address
    first_destination: Address
    protocol: str
    interface_in: str | None = None
    interface_out: str | None = None
    local: bool = False
    rewritten: bool = False

    @property
    def version(self) -> int:
        """The IP version."""
        return self.destination.version


class Conditions:
    """Expressions of one table, met or not by one packet."""

    def __init__(
        self, packet: NftPacket, table: tuple[str, str], sets: Mapping[tuple[str, str, str], NamedSet]
    ) -> None:
        self.packet = packet
        self.table = table
        self.sets = sets

    def match(self, condition: Mapping[str, Any], ports: int) -> Met:
        """Judge a `match` statement for these ports."""
        left, right, operator = condition["left"], condition["right"], condition["op"]
        if not self._applies(left):
            return 0, 0
        if operator in ("<", ">", "<=", ">="):
            return self._ordered(left, operator, right, ports)
        met, doubt = self.value(left, right, ports)
        return (ports & ~(met | doubt), doubt) if operator == "!=" else (met, doubt)

    def value(self, left: Any, right: Any, ports: int) -> Met:
        """Judge whether `left` has the value `right`, or one of the values it holds."""
        elements = self.elements(right)
        if elements is None:
            return 0, ports
        met = doubt = 0
        for element in elements:
            meets, unsure = self.element(left, element, ports)
            met, doubt = met | meets, doubt | unsure
        return met, doubt & ~met

    def elements(self, right: Any) -> tuple[Any, ...] | None:
        """Return the values a right side holds; None for a named set whose content is not steady or not known."""
        if isinstance(right, str) and right.startswith("@"):
            named = self.sets.get((*self.table, right[1:]))
            return named.elements if named and named.steady else None
        if isinstance(right, dict) and "set" in right:
            return tuple(right["set"]) if isinstance(right["set"], list) else (right["set"],)
        return tuple(right) if isinstance(right, list) else (right,)

    def element(self, left: Any, element: Any, ports: int) -> Met:
        """Judge one value; of a concatenation every part must hold."""
        if isinstance(element, dict) and "elem" in element:
            element = element["elem"]["val"]
        if isinstance(left, dict) and "concat" in left:
            met, possible = ports, ports
            if not (isinstance(element, dict) and len(element.get("concat", ())) == len(left["concat"])):
                return 0, ports
            for part, wanted in zip(left["concat"], element["concat"], strict=True):
                meets, unsure = self._part(part, wanted, ports)
                met, possible = met & meets, possible & (meets | unsure)
            return met, possible & ~met
        return self._part(left, element, ports)

    def _part(self, left: Any, wanted: Any, ports: int) -> Met:
        if not self._applies(left):
            return 0, 0
        if self._is_port(left):
            interval = _interval(wanted)
            return (ports & bits.from_intervals([interval]), 0) if interval else (0, ports)
        same = self._same(left, wanted)
        return (0, ports) if same is None else (ports, 0) if same else (0, 0)

    def _ordered(self, left: Any, operator: str, right: Any, ports: int) -> Met:
        if not self._is_port(left) or not isinstance(right, int):
            return 0, ports
        below = bits.from_intervals([(0, right)]) & ~(1 << right if operator in ("<", ">=") else 0)
        return ports & (below if operator in ("<", "<=") else ALL & ~below), 0

    def _is_port(self, left: Any) -> bool:
        """Return whether a field holds the destination port that the ports are asked for."""
        asked = left.get("ct") if isinstance(left, dict) else None
        if asked == {"key": "proto-dst", "dir": "original"}:
            return self.packet.rewritten or self.packet.destination == self.packet.first_destination
        return bool(_field_of(left)[1] == "dport") and not self.packet.rewritten

    def _applies(self, left: Any) -> bool:
        """A condition on another protocol's header is never met, inverted or not."""
        payload = left.get("payload", {}) if isinstance(left, dict) else {}
        header = payload.get("protocol")
        if header in ("ip", "ip6"):
            return bool(header == ("ip" if self.packet.version == 4 else "ip6"))
        return header in (None, "th", "ether", self.packet.protocol)

    def _same(self, left: Any, wanted: Any) -> bool | None:
        """Compare one field with one value: None where nobody can tell."""
        if not isinstance(left, dict):
            return None
        if "payload" in left:
            return self._header(left["payload"].get("protocol"), left["payload"].get("field"), wanted)
        if "meta" in left:
            return self._meta(left["meta"].get("key"), wanted)
        if "ct" in left:
            return self._tracked(left["ct"].get("key"), left["ct"].get("dir"), wanted)
        if "fib" in left and left["fib"] == {"result": "type", "flags": ["daddr"]}:
            return self.packet.local if wanted == "local" else False if self.packet.local else None
        if "&" in left and _field_of(left["&"][0]) == ("tcp", "flags"):
            return _words(wanted) == {"syn"} & _words(left["&"][1])
        return None

    def _header(self, header: str | None, name: str | None, wanted: Any) -> bool | None:
        packet = self.packet
        if name == "saddr" and header in ("ip", "ip6"):
            return None if packet.source is None else _inside(packet.source, wanted)
        if name == "daddr" and header in ("ip", "ip6"):
            return None if packet.rewritten else _inside(packet.destination, wanted)
        if (header, name) == ("ether", "type"):
            return bool(wanted == ("ip" if packet.version == 4 else "ip6"))
        if name in ("protocol", "nexthdr") and isinstance(wanted, int | str):
            return _named(wanted) == packet.protocol
        interval = _interval(wanted)
        if name == "sport" and interval:
            meets = EPHEMERAL & bits.from_intervals([interval])
            return True if meets == EPHEMERAL else None if meets else False
        return None

    def _meta(self, key: str | None, wanted: Any) -> bool | None:
        packet = self.packet
        if key in ("iifname", "iif", "oifname", "oif"):
            mine = packet.interface_in if key.startswith("i") else packet.interface_out
            if not isinstance(wanted, str):
                return None
            if mine is None:
                # Whatever it is, packets of other hosts do not come over loopback.
                return False if wanted == "lo" else None
            return mine.startswith(wanted[:-1]) if wanted.endswith("*") else mine == wanted
        known = {"l4proto": packet.protocol, "nfproto": f"ipv{packet.version}"}
        known["protocol"] = "ip" if packet.version == 4 else "ip6"
        return _named(wanted) == known[key] if key in known and isinstance(wanted, int | str) else None

    def _tracked(self, key: str | None, direction: str | None, wanted: Any) -> bool | None:
        packet = self.packet
        if key == "state":
            return bool(wanted == "new")
        if key == "status" and wanted == "dnat":
            return packet.rewritten or packet.destination != packet.first_destination
        if key == "direction":
            return bool(wanted == "original")
        if direction == "original" and key in ("ip daddr", "ip6 daddr"):
            return _inside(packet.first_destination, wanted)
        return None


def _named(wanted: int | str) -> str:
    return _NUMBERS.get(wanted, "") if isinstance(wanted, int) else wanted


def _field_of(left: Any) -> tuple[Any, Any]:
    payload = left.get("payload", {}) if isinstance(left, dict) else {}
    return payload.get("protocol"), payload.get("field")


def _interval(wanted: Any) -> tuple[int, int] | None:
    if isinstance(wanted, int):
        return wanted, wanted
    if isinstance(wanted, dict) and "range" in wanted:
        low, high = wanted["range"]
        return (low, high) if isinstance(low, int) and isinstance(high, int) else None
    return None


# Every packet is held against the same rules.
@lru_cache(maxsize=1 << 16)
def _address(text: str) -> Address:
    return ip_address(text)


def _inside(address: Address, wanted: Any) -> bool | None:
    try:
        if isinstance(wanted, str):
            return address == _address(wanted)
        if isinstance(wanted, dict) and "prefix" in wanted:
            return address in network_of(f"{wanted['prefix']['addr']}/{wanted['prefix']['len']}")
        if isinstance(wanted, dict) and "range" in wanted:
            low, high = (_address(end) for end in wanted["range"])
            return low.version == address.version and int(low) <= int(address) <= int(high)
    except (ValueError, TypeError):
        return None
    return None


def _words(value: Any) -> set[str]:
    """Flatten the ways in which libnftables writes a set of flags."""
    if isinstance(value, str):
        return {value}
    parts = value.get("|", ()) if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {word for part in parts for word in _words(part)}
