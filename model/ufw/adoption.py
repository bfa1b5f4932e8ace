"""A person's own ufw rules on a host never managed before, and the rows of ports.yaml that would say the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from model.site.hosts import Machine
from model.site.rows import WORDS
from model.site.site import Site
from model.ufw.facts import FirewallFacts
from model.ufw.rule import ANYWHERE, MARK, UfwRule, parse
from model.ufw.state import USER, desired_rules


@dataclass(frozen=True, slots=True)
class AdoptedRow:
    """
    A row to be: `end` is who may come, a role or a word for a network; `ports` as ports.yaml writes them, empty for
    vrrp.
    """

    end: str
    role: str
    protocol: str
    ports: tuple[str, ...]

    @property
    def name(self) -> str:
        """The row's name, the same for the same row."""
        words = ("adopted", self.role, self.protocol, *self.ports, "from", self.end)
        return "-".join(words).replace("_", "-")

    def line(self, hosts: Iterable[str]) -> str:
        """Return the row as one line of YAML; `hosts` are those on which it was found."""
        ports = f"ports: [{', '.join(self.ports)}], " if self.ports else ""
        why = json.dumps(f"Found on {', '.join(hosts)} when this site was taken over; say what it is for, or remove it")
        return (
            f"- {{name: {self.name}, plane: host, from: [{self.end}], to: [{self.role}], "
            f"{ports}protocol: {self.protocol}, source: added, why: {why}}}"
        )


def unmanaged_rules(facts: FirewallFacts) -> tuple[UfwRule, ...]:
    """
    Return a person's ufw rules on a host that this project never managed; nothing on one that it did.

    Raises ValueError for a line that ufw itself did not write, with its file and number.
    """
    texts = {path: facts.files.get(path, "") for path in USER.values()}
    if any(f" comment={MARK.encode().hex()}" in text for text in texts.values()):
        return ()
    return tuple(rule for path, text in texts.items() for rule in _read(path, text))


def _read(path: str, text: str) -> tuple[UfwRule, ...]:
    try:
        return parse(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def own_rules(site: Site, machine: Machine, facts: FirewallFacts) -> tuple[UfwRule, ...]:
    """
    Return a person's rules on a host never managed before, without those that say no more than the matrix does.

    Raises ValueError for a line that ufw itself did not write, with its file and number.
    """
    wanted = (*desired_rules(site, machine, 4), *desired_rules(site, machine, 6))
    return tuple(rule for rule in unmanaged_rules(facts) if not covered(rule, wanted))


def adopt(site: Site, machine: Machine, rules: Iterable[UfwRule]) -> tuple[tuple[AdoptedRow, ...], tuple[str, ...]]:
    """
    Return the rows for a host's rules, and for each rule that no row can say, why not.

    A row speaks of roles, so it opens the same on every host of this host's first role, and to every host of the
    source's.
    """
    rows: dict[AdoptedRow, None] = {}
    left: list[str] = []
    for rule in rules:
        reason = _unsayable(rule)
        end = _end(site, rule.source)
        if reason or end is None:
            left.append(f"{rule.words()}: {reason or f'no role or word of site.yaml stands for {rule.source}'}")
            continue
        protocols = ("tcp", "udp") if rule.protocol == "any" else (rule.protocol,)
        ports = () if rule.protocol == "vrrp" else tuple(rule.destination_port.replace(":", "-").split(","))
        rows |= dict.fromkeys(AdoptedRow(end, machine.roles[0], protocol, ports) for protocol in protocols)
    return tuple(rows), tuple(left)


def _unsayable(rule: UfwRule) -> str:
    if rule.action != "allow":
        return f"the matrix has no `{rule.action}`: what no row opens is closed"
    # An application's name is a label: what it stands for is in the rule.
    if rule.route or rule.where != "in" or rule.source_port != "any":
        return "rows speak of what comes in to a port, from a network, and of nothing else"
    if rule.protocol not in ("tcp", "udp", "any", "vrrp"):
        return f"rows are of tcp, udp or vrrp, not of {rule.protocol}"
    if rule.protocol != "vrrp" and rule.destination_port == "any":
        return "it opens every port"
    return ""


def _end(site: Site, source: str) -> str | None:
    if source in ANYWHERE.values():
        return "internet"
    network = ip_network(source)
    words = (word for word in sorted(WORDS) if network in site.networks_at(word))
    if (word := next(words, None)) is not None:
        return word
    if network.prefixlen < network.max_prefixlen:
        return None
    address = ip_address(source)
    return next((machine.roles[0] for machine in site.machines if address in machine.own), None)


def covered(rule: UfwRule, wanted: Sequence[UfwRule]) -> bool:
    """
    Return whether some rule that the matrix wants admits all that this one admits (to the addresses the matrix means).
    """
    if rule.action not in ("allow", "limit"):
        return False
    return all(
        any(_within(rule, protocol, admitted) for admitted in wanted)
        for protocol in (("tcp", "udp") if rule.protocol == "any" and not rule.route else (rule.protocol,))
    )


def _within(rule: UfwRule, protocol: str, wanted: UfwRule) -> bool:
    if wanted.action != "allow" or wanted.route != rule.route or wanted.protocol != protocol:
        return False
    source, admitted = ip_network(rule.source), ip_network(wanted.source)
    # mypy cannot see that both are of one family here.
    if rule.version != wanted.version or not source.subnet_of(admitted):  # type: ignore[arg-type]
        return False
    if wanted.destination_port == "any":
        return True
    if rule.destination_port == "any":
        return False
    low, high = _bounds(wanted.destination_port)
    return all(low <= first and last <= high for first, last in map(_bounds, rule.destination_port.split(",")))


def _bounds(port: str) -> tuple[int, int]:
    low, _, high = port.partition(":")
    return int(low), int(high or low)


def appended(text: str, lines: Sequence[str]) -> str:
    """Return ports.yaml with rows added at its end, indented as its own rows are."""
    first_row = re.search(r"^( *)- ", text, re.MULTILINE)
    indent = first_row[1] if first_row else "  "
    body = text if text.endswith("\n") or not text else f"{text}\n"
    return body + "".join(f"{indent}{line}\n" for line in lines)
