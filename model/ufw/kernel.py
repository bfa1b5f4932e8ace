"""What ufw's chains hold in the kernel, and what they should hold, given ufw's files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from model.ufw.chains import same_rule
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

    Rules are written without `-A chain`. `places`: the numbers of the jumps among all rules of their chain, from 1 on,
    as far as they are known. `normal`: rules are as the kernel's own tools write them.
    """

    policies: Mapping[str, str]
    jumps: Mapping[str, Rules]
    chains: Mapping[str, Rules]
    places: Mapping[str, tuple[int, ...]] = field(default_factory=dict, compare=False)
    normal: bool = False

    @property
    def running(self) -> bool:
        """True when ufw's chains for a person's rules exist."""
        return any(name.endswith("-user-input") for name in self.chains)

    def same(self, other: UfwKernel) -> bool:
        """Return whether both mean the same, however their rules are written."""
        policies = [[kernel.policies.get(name, "ACCEPT") for name in BUILTIN] for kernel in (self, other)]
        return (
            policies[0] == policies[1]
            and self.chains.keys() == other.chains.keys()
            and not self.differing(other)
            and not self.moved(other)
        )

    def moved(self, other: UfwKernel) -> tuple[str, ...]:
        """Return the built-in chains whose jumps are others than the other's."""
        exact = self.normal and other.normal
        return tuple(
            name
            for name in BUILTIN
            if not _same_chain(self.jumps.get(name, ()), other.jumps.get(name, ()), exact=exact)
        )

    def differing(self, other: UfwKernel) -> tuple[str, ...]:
        """Return the chains of this one that the other lacks or has with other rules, in their order."""
        exact = self.normal and other.normal
        return tuple(
            name for name, rules in self.chains.items() if not _same_chain(rules, other.chains.get(name), exact=exact)
        )


def _same_chain(rules: Rules, others: Rules | None, *, exact: bool) -> bool:
    if others is None or len(rules) != len(others):
        return False
    return all(same_rule(one, other, exact=exact) for one, other in zip(rules, others, strict=True))


EMPTY = UfwKernel({}, {}, {})


def read(saved: str, version: int) -> UfwKernel:
    """
    Read ufw's share out of `iptables-save` (version 4) or `ip6tables-save` (6); an empty text is a table without rules.
    """
    mark = f"{PREFIX[version]}-"
    policies: dict[str, str] = {}
    jumps: dict[str, list[str]] = {}
    chains: dict[str, list[str]] = {}
    places: dict[str, list[int]] = {}
    counts: Counter[str] = Counter()
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
            counts[name] += 1
            if name.startswith(mark):
                chains.setdefault(name, []).append(rule)
            elif name in BUILTIN and jumps_to(rule, mark):
                jumps.setdefault(name, []).append(rule)
                places.setdefault(name, []).append(counts[name])
    numbers = {name: tuple(numbers) for name, numbers in places.items()}
    return UfwKernel(policies, _frozen(jumps), _frozen(chains), numbers, normal=True)


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


def expected(before: str, after: str, user: str, version: int, own: str | None = None) -> UfwKernel:
    """
    Return ufw's share of what ufw 0.36.2 loads at its start: incoming and routed denied, outgoing allowed.

    `before`, `after`, `user` are the texts of before.rules, after.rules and user.rules of that family. `own`: what
    iptables-save said once the first two were loaded on the host; without it they are read here, as far as their
    spellings are known. Chains that files name and that are not ufw's, such as DOCKER-USER, are not ours: they are no
    part of it.
    """
    chains = _begun(version) if own is None else _read_chains(own, version)
    for text in (user,) if own is not None else (before, after, user):
        _load(text, chains)
    return _started(chains, version, normal=own is not None)


def as_loaded(whole: str, version: int) -> UfwKernel:
    """Return what ufw makes of its files, given what iptables-save said once all of them were loaded on the host."""
    return _started(_read_chains(whole, version), version, normal=True)


def _begun(version: int) -> dict[str, list[str]]:
    """Return the chains that ufw makes before it loads any file; `next-boot.sh` makes the same on a host."""
    prefix = PREFIX[version]
    chains: dict[str, list[str]] = {f"{prefix}-{kind}-{way}": [] for kind in _HOOKED for way in DIRECTIONS}
    chains |= {f"{prefix}-{name}": [] for name in ("logging-deny", "logging-allow")}
    chains |= {f"{prefix}-{name}": [] for name in ("user-limit", "user-limit-accept")}
    chains |= {f"{prefix}-{kind}-{way}": [] for kind in ("user", "user-logging") for way in DIRECTIONS}
    for way in DIRECTIONS:
        chains[f"{prefix}-skip-to-policy-{way}"] = [f"-j {POLICIES[way.upper()]}"]
    chains[f"{prefix}-track-output"] += [f"-p {p} -m conntrack --ctstate NEW -j ACCEPT" for p in ("tcp", "udp")]
    return chains | {name: [f"-j {prefix}-{kind}-{name.lower()}" for kind in _HOOKED] for name in BUILTIN}


def _read_chains(saved: str, version: int) -> dict[str, list[str]]:
    """Return ufw's chains of an iptables-save, and of the built-in ones the jumps into them."""
    kernel = read(saved, version)
    return {name: list(rules) for name, rules in (*kernel.chains.items(), *kernel.jumps.items())}


def _started(chains: dict[str, list[str]], version: int, *, normal: bool) -> UfwKernel:
    """Lead to the user's rules, as ufw does once its files are loaded."""
    prefix = PREFIX[version]
    for way in DIRECTIONS:
        chains.setdefault(f"{prefix}-before-{way}", []).append(f"-j {prefix}-user-{way}")
    mark = f"{prefix}-"
    jumps = {name: [rule for rule in chains.get(name, ()) if jumps_to(rule, mark)] for name in BUILTIN}
    mine = {name: rules for name, rules in chains.items() if name.startswith(mark)}
    return UfwKernel(dict(POLICIES), _frozen(jumps), _frozen(mine), normal=normal)


def _load(text: str, chains: dict[str, list[str]]) -> None:
    """
    Do what `iptables-restore -n` does with a rules file's filter table: declared chains are emptied first, the built-in
    ones excepted.
    """
    lines = filter_lines(text)
    for line in lines:
        name = (*line[1:].split(), "")[0]
        if line.startswith(":") and name not in BUILTIN:
            chains[name] = []
    for line in lines:
        words = (*line.split(None, 2), "", "")
        if words[0] in ("-A", "--append"):
            chains.setdefault(words[1], []).append(words[2])
        elif words[0] in ("-I", "--insert"):
            place, _, rule = words[2].partition(" ")
            number, rule = (int(place), rule.lstrip()) if place.isdigit() else (1, words[2])
            chains.setdefault(words[1], []).insert(max(number, 1) - 1, rule)


def _frozen(chains: Mapping[str, Sequence[str]]) -> dict[str, Rules]:
    return {name: tuple(rules) for name, rules in chains.items()}
