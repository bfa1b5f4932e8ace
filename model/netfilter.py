"""What would a host's iptables rules do with a new packet: admit, refuse, or can it not be told?

Reads `iptables-save` and `ip6tables-save`. Sets of ports are bitsets (`model.bits`), so one walk judges all 65,535 ports.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Literal

from model import bits
from model.base import Address, Network

ALL = bits.from_intervals([(0, 65535)])
# Source ports of probes are ephemeral: a rule for one well-known source port does not meet them.
EPHEMERAL = bits.from_intervals([(32768, 60999)])
LIMIT_OF_JUMPS = 32


@dataclass(frozen=True, slots=True)
class Match:
    """
    What one rule asks of a packet. `uncertain` holds the words of conditions that a packet's header does not decide.

    Pairs (inverted, value); None means any.
    """

    source: tuple[bool, Network] | None = None
    destination: tuple[bool, Network] | None = None
    protocol: tuple[bool, str] | None = None
    interface_in: tuple[bool, str] | None = None
    interface_out: tuple[bool, str] | None = None
    ports: tuple[bool, int] | None = None
    source_ports: tuple[bool, int] | None = None
    never: bool = False
    uncertain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One rule: its condition, where it leads, and its text."""

    match: Match
    target: str
    goto: bool
    text: str


@dataclass(frozen=True, slots=True)
class Chains:
    """The filter table: rules and policy by chain; an empty table admits everything."""

    steps: Mapping[str, tuple[Step, ...]]
    policies: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a flow, for every destination port at once."""

    source: Address
    destination: Address
    protocol: Literal["tcp", "udp", "vrrp"]
    interface: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """Ports admitted, ports refused, and ports a header alone does not decide; vrrp is port 0."""

    admitted: int
    refused: int
    uncertain: int


def parse(saved: str) -> Chains:
    """
    Read the filter table of an `iptables-save`; other tables are passed over.

    Raises ValueError for a line that is no part of that format.
    """
    steps: dict[str, list[Step]] = {}
    policies: dict[str, str] = {}
    table = ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif table != "filter" or not line or line.startswith("#") or line == "COMMIT":
            continue
        elif line.startswith(":"):
            chain, policy = line[1:].split()[:2]
            steps.setdefault(chain, [])
            policies[chain] = policy
        elif line.startswith("-A "):
            chain, step = _step(line)
            steps.setdefault(chain, []).append(step)
        else:
            raise ValueError(f"no line of iptables-save: {line}")
    return Chains({name: tuple(rules) for name, rules in steps.items()}, policies)


def judge(chains: Chains, hook: Literal["INPUT", "OUTPUT"], packet: Packet) -> Judgement:
    """
    Walk the chains as the kernel would with a new packet of each port.
    """
    everything = 1 if packet.protocol == "vrrp" else ALL
    walk = _Walk(chains, hook, packet)
    rest = walk.through(hook, everything, 0)
    if chains.policies.get(hook, "ACCEPT") == "ACCEPT":
        walk.admitted |= rest
    else:
        walk.refused |= rest
    return Judgement(walk.admitted, walk.refused, walk.uncertain)


class _Walk:
    def __init__(self, chains: Chains, hook: str, packet: Packet) -> None:
        self.chains = chains
        self.hook = hook
        self.packet = packet
        self.admitted = self.refused = self.uncertain = 0

    def through(self, chain: str, ports: int, depth: int) -> int:
        """Send ports through a chain; return those that come back undecided."""
        if depth > LIMIT_OF_JUMPS:
            self.uncertain |= ports
            return 0
        returned = 0
        for step in self.chains.steps.get(chain, ()):
            if not ports:
                break
            met = self._met(step.match, ports)
            if not met:
                continue
            if step.match.uncertain and step.target not in _PASSING:
                self.uncertain |= met
                ports &= ~met
            elif step.target == "ACCEPT":
                self.admitted |= met
                ports &= ~met
            elif step.target in ("DROP", "REJECT"):
                self.refused |= met
                ports &= ~met
            elif step.target == "RETURN":
                returned |= met
                ports &= ~met
            elif step.target in self.chains.steps:
                back = self.through(step.target, met, depth + 1)
                ports &= ~met
                if step.goto:
                    returned |= back
                else:
                    ports |= back
            elif step.target not in _PASSING:
                self.uncertain |= met
                ports &= ~met
        return ports | returned

    def _met(self, match: Match, ports: int) -> int:
        packet = self.packet
        if match.never:
            return 0
        if match.protocol and (match.protocol[1] in (packet.protocol, "all")) == match.protocol[0]:
            return 0
        if match.source and (packet.source in match.source[1]) == match.source[0]:
            return 0
        if match.destination and (packet.destination in match.destination[1]) == match.destination[0]:
            return 0
        if not self._through_interface(match):
            return 0
        if match.source_ports:
            meets = EPHEMERAL & match.source_ports[1]
            if (meets == EPHEMERAL) == match.source_ports[0]:
                return 0
        if match.ports:
            return ports & (~match.ports[1] if match.ports[0] else match.ports[1])
        return ports

    def _through_interface(self, match: Match) -> bool:
        named = match.interface_in if self.hook == "INPUT" else match.interface_out
        other = match.interface_out if self.hook == "INPUT" else match.interface_in
        if other and not other[0]:
            return False
        if not named:
            return True
        inverted, name = named
        mine = self.packet.interface or ""
        same = mine.startswith(name[:-1]) if name.endswith("+") else mine == name
        return same != inverted


_PASSING = frozenset({"", "LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "NOTRACK", "TRACE", "CHECKSUM", "TCPMSS"})
_PROTOCOLS = {"112": "vrrp", "6": "tcp", "17": "udp", "0": "all"}
# Options without a value that a bare `-m` module line may carry, and options whose value does not touch admission.
_FLAGS = frozenset(
    {"--log-ip-options", "--log-tcp-options", "--log-tcp-sequence", "--log-uid", "--random", "--random-fully"}
)
_IDLE = frozenset(
    {
        "--comment",
        "--log-prefix",
        "--log-level",
        "--reject-with",
        "--set-xmark",
        "--set-mark",
        "--or-mark",
        "--limit",
        "--limit-burst",
        "--nflog-group",
        "--nflog-prefix",
        "--wait",
    }
)
_FOREIGN_PROTOCOL = frozenset(
    {"--icmp-type", "--icmpv6-type", "--rt-type", "--rt-segsleft", "--hl-eq", "--hl-lt", "--ttl-eq"}
)


def _step(line: str) -> tuple[str, Step]:
    words = shlex.split(line)
    chain = words[1]
    fields: dict[str, object] = {}
    uncertain: list[str] = []
    target, goto, never, limited = "", False, False, False
    for inverted, option, value in _options(words[2:]):
        if option in ("-j", "-g"):
            target, goto = value, option == "-g"
        elif option == "-m":
            limited = limited or value == "limit"
        elif option in _FIELDS:
            name, read = _FIELDS[option]
            fields[name] = (inverted, read(value))
        elif option in ("--ctstate", "--state"):
            never = never or (("NEW" in value.split(",")) == inverted)
        elif option == "--dst-type":
            never = never or ((value in ("LOCAL", "UNICAST")) == inverted)
        elif option == "--src-type":
            never = never or ((value == "UNICAST") == inverted)
        elif option in ("--tcp-flags", "--syn"):
            never = never or (_is_syn(value) == inverted)
        elif option == "--mark":
            # Nothing marks a probe before INPUT; a masked comparison with 0 holds.
            never = never or ((int(value.split("/")[0], 0) == 0) == inverted)
        elif option in _FOREIGN_PROTOCOL:
            never = True
        elif option not in _IDLE and option not in _FLAGS:
            uncertain.append(f"{option} {value}".strip())
    if limited and target not in _PASSING:
        uncertain.append("limit")
    match = Match(never=never, uncertain=tuple(uncertain), **fields)  # type: ignore[arg-type]
    return chain, Step(match, target, goto, line)


def _options(words: list[str]) -> Iterator[tuple[bool, str, str]]:
    """Yield (inverted, option, value): `!` stands before its option in what iptables saves."""
    position = 0
    while position < len(words):
        inverted = words[position] == "!"
        position += inverted
        option = words[position]
        position += 1
        value: list[str] = []
        while position < len(words) and not words[position].startswith("-") and words[position] != "!":
            value.append(words[position])
            position += 1
            if option in ("--comment", "--log-prefix", "--nflog-prefix"):
                break
        yield inverted, option, " ".join(value)


def _is_syn(value: str) -> bool:
    """Tell whether a first SYN meets `--tcp-flags mask flags` (`--syn` has no value)."""
    if not value:
        return True
    mask, _, flags = value.partition(" ")
    wanted = set(flags.split(",")) - {"NONE"}
    return wanted == ({"SYN"} & set(mask.split(",")))


def _port_set(value: str) -> int:
    pairs = (part.replace(":", "-").partition("-") for part in value.split(","))
    return bits.from_intervals(
        (int(low or 0), int(high) if high else (65535 if dash else int(low))) for low, dash, high in pairs
    )


def _protocol(value: str) -> str:
    return _PROTOCOLS.get(value, value)


def _network(value: str) -> Network:
    return ip_network(value, strict=False)


_FIELDS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "-s": ("source", _network),
    "-d": ("destination", _network),
    "-p": ("protocol", _protocol),
    "-i": ("interface_in", str),
    "-o": ("interface_out", str),
    "--dport": ("ports", _port_set),
    "--dports": ("ports", _port_set),
    "--sport": ("source_ports", _port_set),
    "--sports": ("source_ports", _port_set),
}
