"""Every rule that a host's kernel holds: tables of both kinds of iptables, and nftables' own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from model.packets.devices import Devices
from model.packets.iptables_save import Chains, parse
from model.packets.known_rules import publishes
from model.packets.nft_ruleset import Chain, Ruleset
from model.packets.nft_ruleset import parse as parse_nft

_NAT = -100
# Where the kernel puts iptables' chains: (hook, table, priority).
PLACES = (
    ("prerouting", "raw", -300),
    ("prerouting", "mangle", -150),
    ("prerouting", "nat", _NAT),
    ("input", "mangle", -150),
    ("input", "filter", 0),
    ("input", "security", 50),
    ("output", "raw", -300),
    ("output", "mangle", -150),
    ("output", "nat", _NAT),
    ("output", "filter", 0),
    ("output", "security", 50),
    ("postrouting", "mangle", -150),
)
_TOOLS = {4: "iptables", 6: "ip6tables"}


@dataclass(frozen=True, slots=True)
class KernelRules:
    """
    Tables of iptables by (tool, table), in the words of `iptables-save`, nftables' own as they are, and what decides at
    devices beside both.
    """

    tables: Mapping[tuple[str, str], Chains] = field(default_factory=dict)
    native: Ruleset = field(default_factory=lambda: Ruleset({}, {}))
    devices: Devices = field(default_factory=Devices)

    def iptables(self, version: int) -> Iterator[tuple[str, str, Chains]]:
        """Yield tool, table and chains of one IP version."""
        for (tool, table), chains in self.tables.items():
            if tool in (_TOOLS[version], f"{_TOOLS[version]}-legacy"):
                yield tool, table, chains

    def own(self, hook: str, version: int) -> list[Chain]:
        """Return nftables' chains of a hook that are of nobody who is known."""
        return [chain for chain in self.native.base(hook, version) if not publishes(chain.table[1])]


_BRIDGED = {"in": ("prerouting", "input"), "out": ("output", "postrouting")}


def at_devices(rules: KernelRules, interface: str | None, way: Literal["in", "out"]) -> Iterator[str]:
    """Yield, in words, what decides at devices about packets through an interface: what it does nobody judges here."""
    yield from (program.words for program in rules.devices.at(interface, way))
    if rules.devices.bridged(interface):
        for chain in rules.native.chains.values():
            family, table = chain.table
            if family == "bridge" and chain.hook in _BRIDGED[way] and (chain.rules or chain.policy != "accept"):
                yield f"rules of nft's family bridge (`nft -a list chain bridge {table} {chain.name}`)"


def read(saved: Mapping[int, str], legacy: Mapping[int, str], nft: str) -> KernelRules:
    """
    Read what the tools printed, by IP version.

    Raises ValueError for what is none of it.
    """
    return _read(tuple(sorted(saved.items())), tuple(sorted(legacy.items())), nft)


@lru_cache(maxsize=256)
def _read(saved: tuple[tuple[int, str], ...], legacy: tuple[tuple[int, str], ...], nft: str) -> KernelRules:
    tables: dict[tuple[str, str], Chains] = {}
    for texts, suffix in ((saved, ""), (legacy, "-legacy")):
        for version, text in texts:
            for table in _tables(text):
                tables[f"{_TOOLS[version]}{suffix}", table] = parse(text, table)
    native = _native(parse_nft(nft).rules, saved) if nft.strip() else Ruleset({}, {})
    return KernelRules(tables, native)


def _tables(saved: str) -> list[str]:
    return list(dict.fromkeys(line[1:].strip() for line in saved.splitlines() if line.startswith("*")))


def _native(rules: Ruleset, saved: tuple[tuple[int, str], ...]) -> Ruleset:
    """Leave out the tables that iptables keeps there, and shows itself."""
    theirs = {("ip" if version == 4 else "ip6", table) for version, text in saved for table in _tables(text)}
    return Ruleset({key: chain for key, chain in rules.chains.items() if key[:2] not in theirs}, rules.sets)
