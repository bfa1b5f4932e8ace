"""Rules on a host that are not ufw's: whether they changed, and which of them decide in ufw's stead."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model.packets.devices import Devices
from model.packets.known_rules import ORCHESTRATORS, publishes
from model.packets.netfilter import parse
from model.packets.ruling import removal
from model.ufw.kernel import BUILTIN, PREFIX, jumps_to

_VERDICTS = ("ACCEPT", "DROP", "REJECT")
_ADMISSIONS = ("ACCEPT",)
_REFUSING = ("drop", "reject")
_Place = tuple[str, str, str]
# Verdict maps of tables that publish hold Services and containers: others judge these.
_OURS = "matrix_fleet"
_Maps = Mapping[_Place, Any]
_COUNTERS = re.compile(r"\[\d+:\d+\]")


@dataclass(frozen=True, slots=True)
class Rulesets:
    """
    What a host's kernel holds, as text: iptables-save of both families, the same of the older iptables, `nft -j list
    ruleset`; and what decides at its devices beside them.
    """

    saved: Mapping[int, str]
    legacy: Mapping[int, str]
    nft: str
    devices: Devices = field(default_factory=Devices)


def others(rulesets: Rulesets) -> tuple[str, ...]:
    """
    Return every rule that is not ufw's, one a line, free of counters and handles; equal where nothing of others
    changed.
    """
    lines: list[str] = []
    for version in (4, 6):
        lines += [f"IPv{version} {line}" for line in _not_ufws(rulesets.saved[version], version)]
        lines += [f"IPv{version} legacy {line}" for line in _stripped(rulesets.legacy[version])]
    return (*lines, *native(rulesets))


def changed(before: Rulesets, after: Rulesets) -> str:
    """Return a unified diff of others' rules; empty where they are the same."""
    first, second = others(before), others(after)
    return "\n".join(difflib.unified_diff(first, second, "before", "after", lineterm="", n=0))


# What bootstrap writes of packets from pods alone: it follows from the matrix, and has a check of its own.
_OF_PODS = ("inet", _OURS, "from_pods")


def deciding(rulesets: Rulesets) -> tuple[str, ...]:
    """
    Return others' rules that decide about packets for the host beside ufw: any verdict before it, admissions after it.

    What ufw leaves undecided comes back from its chains; only a rule behind them keeps it from the policy, which drops.
    """
    rules = [
        f"IPv{version}: {line}" for version in (4, 6) for line in _beside_ufw(rulesets.saved[version], PREFIX[version])
    ]
    for version in (4, 6):
        legacy = rulesets.legacy[version]
        rules += [f"IPv{version} legacy: {line}" for line in _beside_ufw(legacy, "no such chain")]
    return (*rules, *_native_refusals(rulesets))


def removal_of(rule: str) -> str:
    """Return the command that takes away a rule that `deciding` tells of."""
    tool, _, text = rule.partition(": -A ")
    if not text:
        return removal(rule)
    version, _, legacy = tool.partition(" ")
    return f"{'iptables' if version == 'IPv4' else 'ip6tables'}{'-legacy' if legacy else ''} -D {text}"


def _beside_ufw(saved: str, prefix: str) -> list[str]:
    chains = dict(parse(saved).steps)
    verdicts: tuple[str, ...] = _VERDICTS
    rules = []
    for step in chains.get("INPUT", ()):
        if step.target.startswith(f"{prefix}-"):
            # The last of ufw's chains that admits anything: what comes back from it could only be dropped.
            verdicts = _ADMISSIONS if step.target == f"{prefix}-before-input" else verdicts
            continue
        if step.match.interface_in == (False, "lo") and step.target == "ACCEPT":
            # ufw begins with the same rule.
            continue
        if _leads_to(verdicts, step.target, chains, frozenset()):
            rules.append(step.text)
    return rules


def _leads_to(verdicts: tuple[str, ...], target: str, chains: Mapping[str, Any], seen: frozenset[str]) -> bool:
    if target in verdicts:
        return True
    if target in seen or target not in chains:
        return False
    # What stands in such a chain itself is asked for by `early_rules`, which knows the site.
    own = target.startswith(ORCHESTRATORS)
    onward = [step.target for step in chains[target] if not own or step.target in chains]
    return any(_leads_to(verdicts, there, chains, seen | {target}) for there in onward)


def _not_ufws(saved: str, version: int) -> list[str]:
    mark = f"{PREFIX[version]}-"
    table, lines = "", []
    for line in _stripped(saved):
        if line.startswith("*"):
            table = line[1:]
        elif table != "filter" or not _ufws(line, mark):
            lines.append(f"{table} {line}")
    return lines


def _ufws(line: str, mark: str) -> bool:
    """
    Return whether a line of the filter table is ufw's: its chains, the jumps into them, and the built-in chains'
    policies.
    """
    if line.startswith(":"):
        return line.startswith(f":{mark}") or line[1:].split(" ")[0] in BUILTIN
    _, chain, rule = line.split(" ", 2)
    return chain.startswith(mark) or (chain in BUILTIN and jumps_to(rule, mark))


def _stripped(saved: str) -> list[str]:
    lines = (_COUNTERS.sub("", line).strip() for line in saved.splitlines())
    return [line for line in lines if line and not line.startswith("#") and line != "COMMIT"]


def native(rulesets: Rulesets) -> tuple[str, ...]:
    """Return the objects of nft's own tables, those that iptables keeps there left out."""
    return tuple(json.dumps(_bare(entry), sort_keys=True) for entry in _native_entries(rulesets))


def _native_entries(rulesets: Rulesets) -> list[dict[str, Any]]:
    if not rulesets.nft.strip():
        return []
    theirs = {
        ("ip" if version == 4 else "ip6", line[1:].strip())
        for version in (4, 6)
        for line in rulesets.saved[version].splitlines()
        if line.startswith("*")
    }
    entries = []
    for entry in json.loads(rulesets.nft).get("nftables", []):
        ((kind, value),) = entry.items()
        place = (value.get("family"), value.get("name") if kind == "table" else value.get("table"))
        if kind != "metainfo" and place not in theirs:
            entries.append(entry)
    return entries


def _native_refusals(rulesets: Rulesets) -> list[str]:
    entries = _native_entries(rulesets)
    hooked = {}
    for entry in entries:
        chain = entry.get("chain", {})
        if chain.get("hook") == "input":
            hooked[(chain["family"], chain["table"], chain["name"])] = chain.get("policy", "accept")
    refusals = [f"nft chain {' '.join(place)}: policy drop" for place, policy in hooked.items() if policy == "drop"]
    rules = [entry["rule"] for entry in entries if "rule" in entry and _place(entry["rule"]) != _OF_PODS]
    maps = {
        (*_table(entry["map"]), entry["map"]["name"]): entry["map"].get("elem", [])
        for entry in entries
        if "map" in entry
    }
    reached = _reached(rules, hooked, maps)
    for rule in rules:
        if _place(rule) in reached:
            handle = f" handle {rule['handle']}" if "handle" in rule else ""
            found = [kind for part in rule["expr"] for kind, _ in _verdicts_of(part, _table(rule), maps)]
            refusals += [
                f"nft {' '.join(_place(rule))}{handle}: {kind}" for kind in dict.fromkeys(found) if kind in _REFUSING
            ]
    return refusals


def _reached(rules: Sequence[Mapping[str, Any]], hooked: Iterable[_Place], maps: _Maps) -> frozenset[_Place]:
    """Return the chains to which the hooked ones lead by `jump` and `goto`, through verdict maps too."""
    leads: dict[_Place, set[_Place]] = {}
    for rule in rules:
        here = _place(rule)
        verdicts = [verdict for part in rule["expr"] for verdict in _verdicts_of(part, _table(rule), maps)]
        leads.setdefault(here, set()).update(
            (*here[:2], target) for kind, target in verdicts if kind in ("jump", "goto")
        )
    reached, todo = set(hooked), list(hooked)
    while todo:
        more = leads.get(todo.pop(), set()) - reached
        reached |= more
        todo += more
    return frozenset(reached)


def _verdicts_of(part: Mapping[str, Any], table: tuple[str, str], maps: _Maps) -> Iterator[tuple[str, str]]:
    """Yield the verdicts of a statement, and for jumps where they lead; a map that is not told may refuse."""
    for kind, body in part.items():
        if kind in _REFUSING:
            yield kind, ""
        elif kind in ("jump", "goto"):
            yield kind, body["target"]
        elif kind == "vmap" and (table[1] == _OURS or not publishes(table[1])):
            data = body["data"]
            elements = maps.get((*table, data[1:])) if isinstance(data, str) else data.get("set")
            if not isinstance(elements, list):
                yield "drop", ""
            for _, verdict in elements or ():
                yield from _verdicts_of(verdict, table, maps)


def _table(entry: Mapping[str, Any]) -> tuple[str, str]:
    return entry["family"], entry["table"]


def _place(rule: Mapping[str, Any]) -> _Place:
    return rule["family"], rule["table"], rule["chain"]


def _bare(value: Any) -> Any:
    """Drop what changes by itself: handles, and the counts of counters, quotas and sets' elements."""
    if isinstance(value, dict):
        return {key: _bare(part) for key, part in value.items() if key not in ("handle", "packets", "bytes", "expires")}
    return [_bare(part) for part in value] if isinstance(value, list) else value
