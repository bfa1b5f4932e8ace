"""What ufw's chains hold in the kernel, and what they should hold, given ufw's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from model.ufw.chains import Canonical, canonical
from model.ufw.text import DIRECTIONS

BUILTIN = ("INPUT", "FORWARD", "OUTPUT")
PREFIX = {4: "ufw", 6: "ufw6"}
POLICIES = {"INPUT": "DROP", "FORWARD": "DROP", "OUTPUT": "ACCEPT"}
_HOOKED = ("before-logging", "before", "after", "after-logging", "reject", "track")
Rules = tuple[str, ...]


@dataclass(frozen=True)
class UfwKernel:
    """
    ufw's share of one family's filter table: policies of the built-in chains, the jumps into ufw's chains in their
    order, and those chains.

    Rules are written without `-A chain`.
    """

    policies: Mapping[str, str]
    jumps: Mapping[str, Rules]
    chains: Mapping[str, Rules]

    @property
    def running(self) -> bool:
        """True when ufw's chains for a person's rules exist."""
        return any(name.endswith("-user-input") for name in self.chains)

    def same(self, other: UfwKernel) -> bool:
        """Return whether both mean the same, however their rules are written."""
        return self.shape() == other.shape()

    def shape(self) -> tuple[object, ...]:
        """Return all of it in a form that compares."""
        chains = {name: tuple(canonical(rule) for rule in rules) for name, rules in self.chains.items()}
        return (
            {name: self.policies.get(name, "ACCEPT") for name in BUILTIN},
            {name: self.jumps.get(name, ()) for name in BUILTIN},
            chains,
        )


EMPTY = UfwKernel({}, {}, {})


def read(saved: str, version: int) -> UfwKernel:
    """
    Read ufw's share out of `iptables-save` (version 4) or `ip6tables-save` (6); an empty text is a table without rules.
    """
    mark = f"{PREFIX[version]}-"
    policies: dict[str, str] = {}
    jumps: dict[str, list[str]] = {}
    chains: dict[str, list[str]] = {}
    for line in filter_lines(saved):
        if line.startswith(":"):
            name, policy, *_ = (*line[1:].split(), "", "")
            if name in BUILTIN:
                policies[name] = policy or "ACCEPT"
            elif name.startswith(mark):
                chains.setdefault(name, [])
        elif line.startswith("-A "):
            # A rule may ask for nothing at all.
            _, name, rule, *_ = (*line.split(" ", 2), "")
            if name.startswith(mark):
                chains.setdefault(name, []).append(rule)
            elif name in BUILTIN and jumps_to(rule, mark):
                jumps.setdefault(name, []).append(rule)
    return UfwKernel(policies, _frozen(jumps), _frozen(chains))


def filter_lines(saved: str) -> list[str]:
    """Return the lines of the filter table of an iptables-save or a rules file."""
    lines, table = [], ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.strip() == "COMMIT":
            table = ""
        elif table == "filter" and line and not line.startswith("#"):
            lines.append(line.rstrip())
    return lines


def jumps_to(rule: str, mark: str) -> bool:
    """Return whether a rule leads into a chain whose name begins with `mark`."""
    words = rule.split()
    return any(flag in ("-j", "-g") and target.startswith(mark) for flag, target in pairwise(words))


def expected(before: str, after: str, user: str, version: int) -> UfwKernel:
    """
    Return what ufw 0.36.2 loads at its start: incoming and routed denied, outgoing allowed.

    `before`, `after`, `user` are the texts of before.rules, after.rules and user.rules of that family.
    """
    prefix = PREFIX[version]
    chains: dict[str, list[str]] = {f"{prefix}-{kind}-{way}": [] for kind in _HOOKED for way in DIRECTIONS}
    chains |= {f"{prefix}-{name}": [] for name in ("logging-deny", "logging-allow")}
    chains |= {f"{prefix}-{name}": [] for name in ("user-limit", "user-limit-accept")}
    chains |= {f"{prefix}-{kind}-{way}": [] for kind in ("user", "user-logging") for way in DIRECTIONS}
    policies = {"input": "DROP", "forward": "DROP", "output": "ACCEPT"}
    for way, policy in policies.items():
        chains[f"{prefix}-skip-to-policy-{way}"] = [f"-j {policy}"]
    chains[f"{prefix}-track-output"] += [f"-p {p} -m conntrack --ctstate NEW -j ACCEPT" for p in ("tcp", "udp")]
    for text in (before, after, user):
        _load(text, chains)
    for way in DIRECTIONS:
        chains[f"{prefix}-before-{way}"].append(f"-j {prefix}-user-{way}")
    jumps = {name: tuple(f"-j {prefix}-{kind}-{name.lower()}" for kind in _HOOKED) for name in BUILTIN}
    return UfwKernel(dict(POLICIES), jumps, _frozen(chains))


def _load(text: str, chains: dict[str, list[str]]) -> None:
    """Do what `iptables-restore -n` does with a rules file's filter table: declared chains are emptied first."""
    lines = filter_lines(text)
    for line in lines:
        if line.startswith(":"):
            chains[(*line[1:].split(), "")[0]] = []
    for line in lines:
        words = (*line.split(None, 2), "", "")
        if words[0] in ("-A", "--append"):
            chains.setdefault(words[1], []).append(words[2])
        elif words[0] in ("-I", "--insert"):
            chains.setdefault(words[1], []).insert(0, words[2])


def _frozen(chains: Mapping[str, Sequence[str]]) -> dict[str, Rules]:
    return {name: tuple(rules) for name, rules in chains.items()}


def canonical_chain(rules: Rules) -> tuple[Canonical, ...]:
    """Return a chain's rules in a form that compares."""
    return tuple(canonical(rule) for rule in rules)
