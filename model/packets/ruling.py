"""One rule of a host that decides about packets: its name, what it does to which ports, and how it is taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from model import bits
from model.packets.devices import removal_of_program
from model.packets.port_ranges import ranges

Effect = Literal["admits", "refuses", "leads", "unknown"]
Landing = Literal["admit", "refuse", ""]
_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRule:
    """
    A rule as its own tool names it; `tool` is `nft`, one of iptables' four names, or `device` for what is at a device.

    `text` is what stands behind the chain's name in iptables-save, or nft's words; `handle` is nft's, 0 for a policy.
    """

    tool: str
    family: str = ""
    table: str
    chain: str
    text: str
    handle: int = 0

    @property
    def words(self) -> str:
        """Name it in one line."""
        if self.tool == "device":
            return self.text
        if self.tool != "nft":
            option = "-P" if self.text.startswith("-P ") else "-A"
            return f"{self.tool} -t {self.table} {option} {self.chain} {self.text.removeprefix('-P ')}"
        place = f"{self.family} {self.table} {self.chain}"
        return f"nft {place} handle {self.handle}: {self.text}" if self.handle else f"nft chain {place}: {self.text}"

    @property
    def removal(self) -> str:
        """Return the command that takes it away."""
        return removal(self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """
    What a rule does to ports of one protocol: admits or refuses them, leads them elsewhere, or what nobody can tell.

    Of what it leads elsewhere `to` says where, and `landing` what becomes of it there: admit, refuse, or empty where
    that is not this host's to say, as it never is of another machine's address (`away`). `at_device`: it drops what
    leaves by an interface, after whoever sent it was told that it is on its way, or that there is no room.
    """

    rule: NamedRule
    effect: Effect
    protocol: str
    ports: int
    to: str = ""
    landing: Landing = ""
    away: bool = False
    at_device: bool = False

    @property
    def words(self) -> str:
        """Name the rule and say what it does."""
        if self.effect == "leads":
            return f"{self.rule.words} (leads {self._ports} to {self.to})"
        does = "what it does cannot be judged, of" if self.effect == "unknown" else self.effect
        return f"{self.rule.words} ({does} {self._ports})"

    @property
    def _ports(self) -> str:
        more = ", ..." if len(bits.to_intervals(self.ports)) > _SHOWN else ""
        return f"{ranges(self.ports, _SHOWN)}{more}/{self.protocol}"


def removal(words: str) -> str:
    """Return the command that takes away the rule that these words name."""
    if not words.startswith(("nft ", "iptables", "ip6tables")):
        return removal_of_program(words)
    if not words.startswith("nft "):
        return words.replace(" -A ", " -D ", 1) if " -A " in words else f"{words.rpartition(' ')[0]} ACCEPT"
    if words.startswith("nft chain "):
        return f"nft '{words.removeprefix('nft ').partition(':')[0]} {{ policy accept; }}'"
    place = words.removeprefix("nft ").partition(":")[0]
    return f"nft delete rule {place}" if " handle " in place else f"nft -a list chain {place}"
