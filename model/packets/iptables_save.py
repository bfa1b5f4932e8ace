"""What the lines of an `iptables-save` or `ip6tables-save` ask of a packet, and where they lead it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_network

from model import bits
from model.base import Network

ALL = bits.from_intervals([(0, 65535)])
# Source ports of probes are ephemeral: a rule for one well-known source port does not meet them.
EPHEMERAL = bits.from_intervals([(32768, 60999)])
# Targets that let a packet go on to the next rule.
PASSING = frozenset(
    {
        "",
        "AUDIT",
        "CHECKSUM",
        "CLASSIFY",
        "CONNMARK",
        "CONNSECMARK",
        "CT",
        "DSCP",
        "ECN",
        "HL",
        "LOG",
        "MARK",
        "NFLOG",
        "NOTRACK",
        "SECMARK",
        "SET",
        "TCPMSS",
        "TEE",
        "TOS",
        "TRACE",
        "TTL",
        "ULOG",
    }
)


@dataclass(frozen=True, slots=True)
class Match:
    """
    What one rule asks of a packet. `uncertain` holds the words of conditions that a packet's header does not decide.

    Pairs are (inverted, value); `mark` is (inverted, value, mask); `ports` are the destination ports that meet it. None
    means any.
    """

    source: tuple[bool, Network] | None = None
    destination: tuple[bool, Network] | None = None
    protocol: tuple[bool, str] | None = None
    interface_in: tuple[bool, str] | None = None
    interface_out: tuple[bool, str] | None = None
    source_type: tuple[bool, frozenset[str]] | None = None
    destination_type: tuple[bool, frozenset[str]] | None = None
    mark: tuple[bool, int, int] | None = None
    ports: int | None = None
    never: bool = False
    uncertain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """
    One rule: its condition, where it leads, and its text; `marks`: the bits it writes, as (value, mask); `to`: the
    address and port that a translation writes, as iptables spells them.
    """

    match: Match
    target: str
    goto: bool
    text: str
    marks: tuple[int, int] | None = None
    to: str = ""

    @property
    def chain(self) -> str:
        """The chain it stands in."""
        return self.text.removeprefix("-A ").partition(" ")[0]


@dataclass(frozen=True, slots=True)
class Chains:
    """One table: rules and policy by chain; an empty table admits everything."""

    steps: Mapping[str, tuple[Step, ...]]
    policies: Mapping[str, str]

    def idle(self, chain: str) -> bool:
        """Return whether one of the hooks' own chains lets everything pass."""
        return not self.steps.get(chain) and self.policies.get(chain, "ACCEPT") == "ACCEPT"


def parse(saved: str, wanted: str = "filter") -> Chains:
    """
    Read one table, the filter table if not told otherwise; others are passed over.

    Raises ValueError for a line that is no part of that format, and where iptables says that it cannot show the table.
    """
    steps: dict[str, list[Step]] = {}
    policies: dict[str, str] = {}
    table = ""
    for line in saved.splitlines():
        if line.startswith("#") and "incompatible" in line and f"`{wanted}'" in line:
            raise ValueError(f"iptables cannot show the {wanted} table: {line}")
        if line.startswith("*"):
            table = line[1:].strip()
        elif table != wanted or not line or line.startswith("#") or line == "COMMIT":
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


@dataclass(slots=True)
class _Draft:
    """A rule while its options are read."""

    fields: dict[str, object] = field(default_factory=dict)
    uncertain: list[str] = field(default_factory=list)
    ports: int | None = None
    never: bool = False
    target: str = ""
    goto: bool = False
    marks: tuple[int, int] | None = None
    to: str = ""

    def narrow(self, ports: int) -> None:
        """A second condition on destination ports must hold as well."""
        self.ports = ports if self.ports is None else self.ports & ports


def words_of(line: str) -> list[str]:
    """
    Return the words of a line as a shell reads them. Raises ValueError for a quote that nobody closes.

    What iptables-save writes has a comment in double quotes, if anything: that is read without looking at each letter.
    """
    parts = line.split('"')
    plain, quoted = parts[::2], parts[1::2]
    apart = all(part.startswith(" ") for part in plain[1:] if part) and all(part.endswith(" ") for part in plain[:-1])
    odd = {"'", "\\"} & set(line) or not (line.isascii() and line.isprintable())
    if odd or not apart or len(quoted) == len(plain) or not all(plain[:-1]):
        return shlex.split(line)
    words = plain[0].split()
    for text, rest in zip(quoted, plain[1:], strict=True):
        words += [text, *rest.split()]
    return words


# Hosts of a role have most lines in common.
@lru_cache(maxsize=1 << 16)
def _step(line: str) -> tuple[str, Step]:
    words = words_of(line)
    draft = _Draft()
    for inverted, option, value in _options(words[2:]):
        if option in _READERS:
            _READERS[option](draft, inverted, value)
        elif option in _FIELDS:
            name, read = _FIELDS[option]
            draft.fields[name] = (inverted, read(value))
        elif option not in _IDLE:
            draft.uncertain.append(f"{option} {value}".strip())
    uncertain = tuple(draft.uncertain)
    # `fields` holds what the options above put there, each of its field's type.
    match = Match(ports=draft.ports, never=draft.never, uncertain=uncertain, **draft.fields)  # type: ignore[arg-type]
    marks = draft.marks if draft.target == "MARK" else None
    return words[1], Step(match, draft.target, draft.goto, line, marks, draft.to)


def _options(words: list[str]) -> Iterator[tuple[bool, str, str]]:
    """Yield (inverted, option, value): `!` stands before its option in what iptables saves."""
    position = 0
    while position < len(words):
        inverted = words[position] == "!"
        position += inverted
        option = words[position]
        position += 1
        value = []
        if option in _TEXTS and position < len(words):
            value.append(words[position])
            position += 1
        while option not in _TEXTS and position < len(words) and not _starts_option(words[position]):
            value.append(words[position])
            position += 1
        yield inverted, option, " ".join(value)


def _starts_option(word: str) -> bool:
    return word.startswith("-") or word == "!"


def _jump(draft: _Draft, _inverted: bool, value: str) -> None:
    draft.target, draft.goto = value, False


def _goto(draft: _Draft, _inverted: bool, value: str) -> None:
    draft.target, draft.goto = value, True


def _module(draft: _Draft, _inverted: bool, value: str) -> None:
    if value not in _TOLD_BY_OPTIONS:
        draft.uncertain.append(value)


def _ports(draft: _Draft, inverted: bool, value: str) -> None:
    ports = _port_set(value)
    draft.narrow(ALL & ~ports if inverted else ports)


def _source_ports(draft: _Draft, inverted: bool, value: str) -> None:
    meets = EPHEMERAL & (ALL & ~_port_set(value) if inverted else _port_set(value))
    if not meets:
        draft.never = True
    elif meets != EPHEMERAL:
        draft.uncertain.append(f"source ports {value}")


def _state(draft: _Draft, inverted: bool, value: str) -> None:
    if ("NEW" in value.split(",")) == inverted:
        draft.never = True


def _flags(draft: _Draft, inverted: bool, value: str) -> None:
    """A first packet is a SYN and nothing else; `value` is `mask flags`."""
    mask, _, flags = value.partition(" ")
    wanted = set(flags.split(",")) - {"NONE", ""}
    if (wanted == ({"SYN"} & set(mask.split(",")))) == inverted:
        draft.never = True


def _mark(draft: _Draft, inverted: bool, value: str) -> None:
    number, _, mask = value.partition("/")
    draft.fields["mark"] = (inverted, int(number, 0), int(mask, 0) if mask else 0xFFFFFFFF)


def _set_mark(draft: _Draft, _inverted: bool, value: str) -> None:
    number, _, mask = value.partition("/")
    written = int(number, 0)
    draft.marks = (written, written | (int(mask, 0) if mask else 0xFFFFFFFF))


def _or_mark(draft: _Draft, _inverted: bool, value: str) -> None:
    draft.marks = (int(value, 0), int(value, 0))


def _translation(draft: _Draft, _inverted: bool, value: str) -> None:
    draft.to = value


def _fragment(draft: _Draft, inverted: bool, _value: str) -> None:
    draft.never = draft.never or not inverted


def _foreign(draft: _Draft, _inverted: bool, _value: str) -> None:
    draft.never = True


def _port_set(value: str) -> int:
    pairs = (part.partition(":") for part in value.split(","))
    return bits.from_intervals(
        (int(low or 0), int(high) if high else (65535 if dash else int(low))) for low, dash, high in pairs
    )


def _protocol(value: str) -> str:
    return {"112": "vrrp", "6": "tcp", "17": "udp", "0": "all"}.get(value, value)


# Every packet is held against the same rules.
@lru_cache(maxsize=1 << 16)
def network_of(text: str) -> Network:
    """Return a network, whose address may have bits of a host. Raises ValueError for text that is none."""
    return ip_network(text, strict=False)


def _types(value: str) -> frozenset[str]:
    return frozenset(value.split(","))


_TEXTS = frozenset({"--comment", "--log-prefix", "--nflog-prefix"})
# Options that do not touch admission.
_IDLE = _TEXTS | {
    "--log-ip-options",
    "--log-level",
    "--log-tcp-options",
    "--log-tcp-sequence",
    "--log-uid",
    "--limit",
    "--limit-burst",
    "--nflog-group",
    "--reject-with",
}
# Matches whose options alone say what they ask for: one of any other, as `socket`, asks without any.
_TOLD_BY_OPTIONS = frozenset(
    {
        "addrtype",
        "ah",
        "comment",
        "connmark",
        "conntrack",
        "dccp",
        "esp",
        "hl",
        "icmp",
        "icmp6",
        "iprange",
        "ipv6-icmp",
        "mark",
        "multiport",
        "pkttype",
        "rt",
        "sctp",
        "set",
        "state",
        "tcp",
        "ttl",
        "udp",
        "udplite",
    }
)
_FIELDS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "-s": ("source", network_of),
    "-d": ("destination", network_of),
    "-p": ("protocol", _protocol),
    "-i": ("interface_in", str),
    "-o": ("interface_out", str),
    "--src-type": ("source_type", _types),
    "--dst-type": ("destination_type", _types),
}
_READERS: Mapping[str, Callable[[_Draft, bool, str], None]] = {
    "-j": _jump,
    "-g": _goto,
    "-m": _module,
    "-f": _fragment,
    "--dport": _ports,
    "--dports": _ports,
    "--sport": _source_ports,
    "--sports": _source_ports,
    "--ctstate": _state,
    "--state": _state,
    "--tcp-flags": _flags,
    "--mark": _mark,
    "--set-xmark": _set_mark,
    "--set-mark": _set_mark,
    "--or-mark": _or_mark,
    "--to-ports": _translation,
    "--to-destination": _translation,
    **dict.fromkeys(
        ("--icmp-type", "--icmpv6-type", "--rt-type", "--rt-segsleft", "--hl-eq", "--hl-lt", "--ttl-eq"), _foreign
    ),
}
